// Experiments that share no unit, who may start one, and the link that shows somebody else the same page.
import type { Page } from '@playwright/test';
import { call, newEnvironment, newPrompt, promote } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { expect, expectNoAxeFindings, settled, signIn, test } from '../support/test.ts';

const arms = [{ name: 'A', version: 1, weight: 1 }, { name: 'B', version: 2, weight: 1 }];

async function serving(environment: string): Promise<string> {
  const name = await newPrompt(['one', 'two']);
  await promote(name, 1, environment);
  return name;
}

// From a blank page: one that listens would be told that it may no longer.
async function signOut(page: Page) {
  await page.goto('about:blank');
  await page.context().clearCookies();
}

test('an editor sees what is free in a layer, is refused what is not, and starts beside it', async ({ page, javaScriptEnabled, complaints }) => {
  test.slow();
  const environment = await newEnvironment();
  const [first, second] = [await serving(environment), await serving(environment)];
  const layer = `layer-${Date.now().toString(36)}`;
  const plan = { name: `On ${first}`, prompt: first, environment, primary_metric: 'resolved', arms, layer, traffic: 0.6 };
  const id = (await call('POST', '/experiments', plan)).body.id as string;
  expect((await call('POST', `/experiments/${id}/start`, {})).status).toBe(200);
  await signIn(page, 'editor');
  const fields = new URLSearchParams({
    'plan[prompt]': second, 'plan[environment]': environment, 'plan[name]': 'Beside it', 'plan[primary_metric]': 'resolved',
  });
  await page.goto(`${PROJECT}/new-experiment?${fields}`);
  await settled(page, javaScriptEnabled);
  await page.getByText('Layer: share no units with other experiments').click();
  await expect(page.getByText(`${layer}: “On ${first}” runs on 0 to 60 %; free is 60 to 100 %.`)).toBeVisible();
  if (javaScriptEnabled) await expectNoAxeFindings(page);

  // A part that does not fit is refused beside its field.
  await page.getByLabel(/^Traffic, %/).fill('40');
  await page.getByLabel(/^Layer/).fill(layer);
  await page.getByLabel(/^Starts at, %/).fill('70');
  await page.getByRole('button', { name: 'Save draft' }).last().click();
  await expect(page.getByLabel(/^Starts at, %/)).toHaveAttribute('aria-invalid', 'true');
  await expect(page.locator('details.plan-layer .error').filter({ hasText: 'goes past the end' })).toBeVisible();

  // One that is taken is refused when it starts, and named.
  await page.getByLabel(/^Traffic, %/).fill('40');
  await page.getByLabel(/^Layer/).fill(layer);
  await page.getByLabel(/^Starts at, %/).fill('50');
  await page.getByRole('button', { name: 'Save draft' }).last().click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Beside it');
  await expect(page.locator('.page-header')).toContainText(`${layer}, 50 to 90 %`);
  await settled(page, javaScriptEnabled);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: `“On ${first}” runs on 0 to 60 %` })).toBeVisible();

  await page.getByRole('link', { name: 'Change the plan' }).click();
  await expect(page.getByLabel(/^Starts at, %/)).toHaveValue('50');
  await settled(page, javaScriptEnabled);
  await page.getByLabel(/^Starts at, %/).fill('60');
  await page.getByRole('button', { name: 'Save draft' }).last().click();
  await expect(page.locator('.page-header')).toContainText(`${layer}, 60 to 100 %`);
  await settled(page, javaScriptEnabled);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.locator('.page-header')).toContainText('running');
  await expect(page.getByRole('region', { name: 'How it is decided' })).toContainText(`In the layer ${layer} it takes 60 to 100 % of the users`);
  expect(complaints.splice(0).filter((line) => !/status of 4\d\d/.test(line))).toEqual([]);
});

test('an admin leaves starting experiments to approvers, and the start button says so', async ({ page, javaScriptEnabled }) => {
  const environment = await newEnvironment();
  const name = await serving(environment);
  const plan = { name: `Only approvers: ${name}`, prompt: name, environment, primary_metric: 'resolved', arms };
  const id = (await call('POST', '/experiments', plan)).body.id as string;
  await signIn(page, 'admin');
  await page.goto(`${PROJECT}/settings/environments`);
  await settled(page, javaScriptEnabled);
  const panel = page.locator('form', { has: page.getByRole('heading', { name: environment }) });
  await expect(panel).toContainText('A promotion executes at once');
  await panel.getByLabel(/^Approvers start experiments/).check();
  await panel.getByLabel(/^A passed gate/).check();
  await panel.getByLabel('Approvals').selectOption('2');
  await panel.getByRole('button', { name: /^Save/ }).click();
  await expect.poll(async () => {
    const all = (await call('GET', '/environments')).body.items as { name: string; policy: unknown }[];
    return all.find((one) => one.name === environment)!.policy;
  }).toEqual({ gate: true, approvals: 2, experiments_need_approver: true });
  await expect(panel).toContainText('waits for a passed gate and 2 approvals');

  await signOut(page);
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/experiments/${id}`);
  await settled(page, javaScriptEnabled);
  const start = page.getByRole('button', { name: 'Start', exact: true });
  await expect(start).toBeDisabled();
  await expect(start).toHaveAccessibleDescription(/v2 was never approved for .* this needs the approver role; yours is editor/i);
  await expect(page.getByText('An approver has to start it')).toBeVisible();
  if (javaScriptEnabled) await expectNoAxeFindings(page);

  await signOut(page);
  await signIn(page, 'approver');
  await page.goto(`${PROJECT}/experiments/${id}`);
  await settled(page, javaScriptEnabled);
  await start.click();
  await expect(page.locator('.page-header')).toContainText('running');
});

test('the link to a result opens what was open', async ({ page, context, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PROJECT}/experiments?prompt=support%2Frefund-policy`);
  await page.getByRole('link', { name: 'Refund answers that offer the next step' }).click();
  const link = page.getByLabel('Link to this page');
  await expect(link).toHaveValue(/\/p\/demo\/experiments\/[0-9a-f-]+$/);
  await expect(link).toHaveAttribute('readonly');
  const numbers = page.locator('#effect details');
  if (javaScriptEnabled) {
    await settled(page, true);
    await numbers.locator('summary').click();
    await expect(page).toHaveURL(/\?open=effect$/);
    await expect(link).toHaveValue(/\?open=effect$/);
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy link' }).click();
    await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await link.inputValue());
  } else {
    await expect(page.getByRole('button', { name: 'Copy link' })).toBeHidden();
  }
  const address = new URL(await link.inputValue());
  await page.goto(`${address.pathname}?open=effect`);
  await expect(numbers).toHaveAttribute('open');
  await expect(page.getByRole('columnheader', { name: 'Difference, pp' })).toBeVisible();
  await expect(page.locator('#over-time details')).not.toHaveAttribute('open');
  if (javaScriptEnabled) {
    // Closing it is in the address as well.
    await settled(page, true);
    await numbers.locator('summary').click();
    await expect(page).toHaveURL(/\/experiments\/[0-9a-f-]+$/);
  }
});
