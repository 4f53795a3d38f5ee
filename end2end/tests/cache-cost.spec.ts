// What a change costs in cache misses: where it is decided, what it may cost, and what tokens cost.
import { call, newEnvironment, newPrompt, promote } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { expect, expectNoAxeFindings, settled, signIn, test } from '../support/test.ts';

const HANDBOOK = `${PROJECT}/prompts/support/shop-handbook`;

test('the compare page says what a change costs, of the traffic that is entered', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'editor');
  await page.goto(`${HANDBOOK}?tab=compare&from=3&to=4`);
  const box = page.getByRole('region', { name: 'Cache refill' });
  await expect(box.getByText('message 1 (system)')).toBeVisible();
  await expect(box.getByText(/scaled to what applications reported/)).toBeVisible();
  await box.getByLabel('Requests an hour').fill('120');
  await box.getByLabel('Distinct prefixes').fill('500');
  await box.getByRole('button', { name: 'Estimate' }).click();
  await expect(page).toHaveURL(/tab=compare&from=3&to=4&requests=120&keys=500/);
  await expect(box.getByLabel('Requests an hour')).toHaveValue('120');
  await expect(box.getByText('as entered').first()).toBeVisible();
  if (javaScriptEnabled) await expectNoAxeFindings(page);

  // Behind the breakpoint nothing is written again, and the page says so.
  await page.goto(`${HANDBOOK}?tab=compare&from=2&to=3`);
  await expect(box.getByText('$0.00')).toBeVisible();
  await expect(box.getByText(/behind the last cache breakpoint/)).toBeVisible();
});

// A prompt of two versions whose long instructions end in a breakpoint for so long.
async function longPrompt(ttl: '5m' | '1h'): Promise<string> {
  const long = (first: string) => `${first} ${'Answer in one short sentence and be kind. '.repeat(600)}`;
  const model = { provider: 'anthropic', name: 'claude-sonnet-4-6', max_tokens: 100 };
  const name = await newPrompt([]);
  for (const first of ['One.', 'Two.']) {
    const system = { role: 'system', content: long(first), cache_control: { type: 'ephemeral', ttl } };
    const content = { type: 'chat', messages: [system, { role: 'user', content: 'Hello' }], model };
    expect((await call('POST', `/prompts/${encodeURIComponent(name)}/versions`, { content })).status).toBe(201);
  }
  return name;
}

test('the roll-back page says what going back costs, of the traffic that is entered', async ({ page, javaScriptEnabled }) => {
  const name = await longPrompt('1h');
  await promote(name, 1, 'staging');
  await promote(name, 2, 'staging');
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/roll-back/${name}?environment=staging`);
  await settled(page, javaScriptEnabled);
  const box = page.getByRole('region', { name: 'Cache refill' });
  await expect(box.getByText('At worst')).toBeVisible();
  await expect(box.getByText(/for 1 hour\. Each has its own price/)).toBeVisible();
  await box.getByLabel('Requests an hour').fill('120');
  await box.getByLabel('Distinct prefixes').fill('500');
  await box.getByRole('button', { name: 'Estimate' }).click();
  await expect(page).toHaveURL(/environment=staging&to=1&requests=120&keys=500/);
  await expect(box.getByLabel('Requests an hour')).toHaveValue('120');
  await expect(box.getByText('as entered').first()).toBeVisible();
  await settled(page, javaScriptEnabled);
  if (javaScriptEnabled) await expectNoAxeFindings(page);
  // The form that goes back is another one, and still does.
  await page.getByRole('button', { name: 'Roll back to v1' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('v1');
});

test('an experiment says what its start costs and which arms stay warm', async ({ page, javaScriptEnabled }) => {
  const name = await longPrompt('5m');
  const environment = await newEnvironment();
  await promote(name, 1, environment);
  const arm = (letter: string, version: number) => ({ name: letter, version, weight: 1 });
  const plan = { name: `Costs of ${name}`, prompt: name, environment, primary_metric: 'resolved', arms: [arm('A', 1), arm('B', 2)] };
  const id = (await call('POST', '/experiments', plan)).body.id as string;
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/experiments/${id}`);
  await settled(page, javaScriptEnabled);
  const caches = page.getByRole('region', { name: 'Caches of the arms' });
  const row = (letter: string) => caches.getByRole('row').filter({ has: page.getByRole('rowheader', { name: letter, exact: true }) });
  await expect(row('A').getByRole('cell').nth(4)).toHaveText('$0.00');
  await expect(row('B').getByRole('cell').nth(4)).not.toHaveText('$0.00');
  const worst = async () => Number((await row('B').getByRole('cell').nth(4).innerText()).replace('$', ''));
  const before = await worst();
  await expect(caches.getByText('Too little traffic')).toHaveCount(0);
  await caches.getByLabel('Requests an hour').fill('20');
  await caches.getByRole('button', { name: 'Estimate' }).click();
  await expect(page).toHaveURL(/requests=20/);
  await expect(caches.getByText("Too little traffic to keep every arm's cache warm")).toBeVisible();
  expect(await worst()).toBeLessThan(before / 100);
  await settled(page, javaScriptEnabled);
  if (javaScriptEnabled) await expectNoAxeFindings(page);

  // While it is planned, the traffic is entered among everything else, and all of that stays.
  await page.getByRole('link', { name: 'Change the plan' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Change the plan');
  await settled(page, javaScriptEnabled);
  await page.getByLabel('Name', { exact: true }).first().fill('Another name');
  await caches.getByLabel('Requests an hour').fill('30');
  await caches.getByRole('button', { name: 'Estimate' }).click();
  await expect(page).toHaveURL(/requests=30/);
  await expect(caches.getByText(/Reckoned for 30 requests an hour/)).toBeVisible();
  await expect(page.getByLabel('Name', { exact: true }).first()).toHaveValue('Another name');
  await settled(page, javaScriptEnabled);
  // Another row of the form is no reason to forget it.
  const guardrails = page.getByRole('group', { name: /^Guardrail/ });
  const rows = await guardrails.count();
  await page.getByRole('button', { name: 'Add a guardrail' }).click();
  await expect(guardrails).toHaveCount(rows + 1);
  await expect(page).toHaveURL(/requests=30/);
  await expect(caches.getByLabel('Requests an hour')).toHaveValue('30');
  await settled(page, javaScriptEnabled);
  await page.getByRole('button', { name: 'Save draft' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Another name');
});

test('a change over the budget is refused until somebody says yes', async ({ page, javaScriptEnabled, complaints }) => {
  const name = await longPrompt('5m');
  const path = `/prompts/${encodeURIComponent(name)}`;
  await promote(name, 1, 'staging');

  await signIn(page, 'admin');
  await page.goto(`${PROJECT}/prompts/${name}?tab=settings`);
  await page.getByLabel(/^Budget/).fill('0.01');
  await page.getByRole('button', { name: 'Save budget' }).click();
  await page.goto(`${PROJECT}/prompts/${name}?tab=settings`);
  await expect(page.getByLabel(/^Budget/)).toHaveValue('0.01');

  const ask = { environment: 'staging', version: 2 };
  const refused = await call('POST', `${path}/promotions`, ask);
  expect(refused.status).toBe(422);
  if (javaScriptEnabled) {
    await page.goto(`${PROJECT}/prompts/${name}?tab=versions&version=2`);
    await page.getByRole('button', { name: 'Promote', exact: true }).click();
    await page.getByRole('radio', { name: /staging/ }).check();
    await page.getByRole('button', { name: 'Promote v2' }).click();
    await expect(page.getByText(/budget is \$0\.01 a day/)).toBeVisible();
    await page.getByRole('checkbox', { name: /Accept the cache cost/ }).check();
    await page.getByRole('button', { name: 'Promote v2' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} is on v2`);
    await expect(page.getByRole('region', { name: 'Cache refill' })).toContainText('Expected');
  } else {
    const done = await call('POST', `${path}/promotions`, { ...ask, accept_cache_cost: true });
    expect(done.status).toBe(201);
  }

  // Going back at once finds the old prefix still warm.
  await page.goto(`${PROJECT}/roll-back/${name}?environment=staging`);
  await expect(page.getByText(/cache refill/)).toBeVisible();
  // The browser reports the refusal's own status.
  expect(complaints.splice(0).filter((line) => !line.includes('status of 422'))).toEqual([]);
});

test('an admin adds a price, which goes before the published one', async ({ page }) => {
  const model = `ours-${Date.now()}-${Math.random().toString(36).slice(2, 8)}`;
  await signIn(page, 'admin');
  await page.goto(`${PROJECT}/settings/prices`);
  await expect(page.getByRole('row').filter({ hasText: 'claude-sonnet-4-6' }).first()).toContainText('$3.75');
  await page.getByLabel('Provider').fill('local');
  await page.getByLabel('Model').fill(model);
  await page.getByLabel('Input').fill('0.2');
  await page.getByLabel('Output').fill('0.4');
  await page.getByLabel('Valid from').fill('2026-01-01');
  await page.getByRole('button', { name: 'Add price' }).click();
  const row = page.getByRole('row').filter({ hasText: model });
  await expect(row).toContainText('$0.20');
  await expect(row).toContainText('own');

  await page.context().clearCookies();
  await signIn(page, 'viewer');
  await page.goto(`${PROJECT}/settings/prices`);
  await expect(page.getByRole('button', { name: 'Add price' })).toHaveCount(0);
});
