// The calculators and the advisor: with script they follow every key, without it they are forms; the
// simulation runs in the browser, shows how far it is, and stops when told to.
import { PROJECT } from '../support/demo.ts';
import type { Page } from '@playwright/test';
import { expect, expectNoAxeFindings, settled, signIn, test } from '../support/test.ts';

const PAGE = `${PROJECT}/calculators`;

// The sentence of a result, which is read out when it changes.
const sentence = (page: Page) => page.getByRole('main').getByRole('status').first();

// With script the result is there at once; without, the form has to be sent.
async function calculate(page: Page, hasScript: boolean | undefined) {
  if (!hasScript) await page.getByRole('button', { name: 'Calculate' }).click();
}

test('a sample size follows what is typed, and the address keeps it', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(PAGE);
  await settled(page, javaScriptEnabled);
  await expect(sentence(page)).toContainText('1,812 units in all');
  await page.getByLabel('Effect to find').fill('10');
  await page.getByLabel('Units a day').fill('100');
  await page.getByLabel('Units a day').blur();
  await calculate(page, javaScriptEnabled);
  await expect(sentence(page)).toContainText('398 units in all, 4 days of traffic');
  await expect(page).toHaveURL(/effect=10/);
  await page.goto(page.url());
  await expect(page.getByLabel('Effect to find')).toHaveValue('10');
  await expect(sentence(page)).toContainText('398 units in all');
});

test('what cannot be computed is said beside the field, and nothing is ever NaN', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PAGE}?tool=z-test`);
  await settled(page, javaScriptEnabled);
  await expect(sentence(page)).toContainText('p = 0.08 is not below 5.0 %');
  await page.getByLabel('Control: successes').fill('2000');
  await calculate(page, javaScriptEnabled);
  await expect(page.getByText('Must be a whole number, no more than the units.')).toBeVisible();
  if (javaScriptEnabled) await expectNoAxeFindings(page);
  await page.goto(`${PAGE}?tool=always-valid&successes_a=10&n_a=10&successes_b=10&n_b=10`);
  await expect(sentence(page)).toContainText('no interval yet');
  await page.goto(`${PAGE}?tool=z-test&successes_a=0&n_a=0&successes_b=0&n_b=0`);
  await expect(sentence(page)).toContainText('no units');
  await expect(page.getByText('NaN')).toHaveCount(0);
});

test('a sample-ratio mismatch is loud', async ({ page }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PAGE}?tool=sample-ratio&observed=5170+4830&weights=1%3A1`);
  await expect(sentence(page)).toContainText('trust no result');
  await page.goto(`${PAGE}?tool=sample-ratio&observed=5100+4900&weights=1%3A1`);
  await expect(sentence(page)).toContainText('The counts fit the split');
});

test('a cache cost follows the prices', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PAGE}?tool=cache-cost`);
  await settled(page, javaScriptEnabled);
  await expect(sentence(page)).toContainText('$0.12 once, and $16.00 at worst');
  await page.getByLabel('Cache write').fill('7.50');
  await page.getByLabel('Cache write').blur();
  await calculate(page, javaScriptEnabled);
  await expect(sentence(page)).toContainText('$32.00 at worst');
  await expect(page).toHaveURL(/write=7\.50/);
});

test('a cache that lasts an hour has its own price', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PAGE}?tool=cache-cost&model=anthropic%2Fclaude-sonnet-4-6`);
  await settled(page, javaScriptEnabled);
  await page.getByLabel('A prefix stays warm for').selectOption('1 hour');
  await calculate(page, javaScriptEnabled);
  await expect(page.getByLabel('Cache write')).toHaveValue('6');
  await expect(sentence(page)).toContainText('$0.19 once, and $307.20 at worst; after 1 hour');
  await expect(page).toHaveURL(/ttl=1h/);
});

test('the exact risk of a threshold needs no script', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PAGE}?tool=threshold-risk`);
  await settled(page, javaScriptEnabled);
  await expect(sentence(page)).toContainText('29.3 % of tests');
  const needs = page.getByText('needs no script');
  const run = page.getByRole('button', { name: 'Run the simulation' });
  if (javaScriptEnabled) {
    await expect(needs).toBeHidden();
    await expect(run).toBeEnabled();
  } else {
    await expect(needs).toBeVisible();
    await expect(run).toBeHidden();
  }
});

test('the simulation agrees with the exact figure', async ({ page, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, 'it runs in the browser');
  test.setTimeout(120_000);
  await signIn(page, 'viewer');
  await page.goto(`${PAGE}?tool=threshold-risk&tests=10000&seed=1`);
  await settled(page, true);
  await page.getByRole('button', { name: 'Run the simulation' }).click();
  const progress = page.getByRole('progressbar', { name: 'A/A tests done' });
  await expect(progress).toBeVisible();
  // It shows how far it is while it runs, and the page still answers.
  await expect(page.getByRole('button', { name: 'Cancel' })).toBeVisible();
  const row = (name: string) => page.getByRole('row', { name });
  await expect(page.getByText(/^Done after 10,000 tests/)).toBeVisible({ timeout: 90_000 });
  const share = async (name: string) => Number.parseFloat((await row(name).getByRole('cell').nth(1).innerText()).replace(' %', ''));
  expect(Math.abs(await share('Ship at +5.0 pp') - 29.3)).toBeLessThan(1.5);
  expect(await share('z-test, believed at any')).toBeGreaterThan(12);
  expect(await share('z-test, once at the end')).toBeLessThan(7);
  expect(await share('Always-valid')).toBeLessThan(5);
  await expectNoAxeFindings(page);
});

test('the simulation stops when told to and never holds the page up', async ({ page, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, 'it runs in the browser');
  await signIn(page, 'viewer');
  await page.goto(`${PAGE}?tool=threshold-risk&n=1000&tests=1000000`);
  await settled(page, true);
  await page.evaluate(() => {
    const kept = window as unknown as { longTasks: number[]; frames: number };
    Object.assign(kept, { longTasks: [], frames: 0 });
    const frame = () => { kept.frames += 1; requestAnimationFrame(frame); };
    frame();
    new PerformanceObserver((list) => kept.longTasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask' });
  });
  await page.getByRole('button', { name: 'Run the simulation' }).click();
  const progress = page.getByRole('progressbar', { name: 'A/A tests done' });
  const done = () => progress.evaluate((bar) => (bar as HTMLProgressElement).value);
  await expect.poll(done).toBeGreaterThan(3_000);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByText(/^Cancelled after/)).toBeVisible();
  const stopped = await done();
  await page.waitForTimeout(300);
  expect(await done()).toBe(stopped);
  // The browser reports what held it up for 50 ms or more: on a busy machine the odd frame, never most of them.
  const [n_long, n_frames] = await page.evaluate(() => {
    const kept = window as unknown as { longTasks: number[]; frames: number };
    return [kept.longTasks.length, kept.frames];
  });
  expect(n_long, `${n_long} long tasks in ${n_frames} frames`).toBeLessThanOrEqual(Math.max(2, n_frames / 10));
  // Other numbers start afresh.
  await page.getByLabel('Looks').fill('5');
  await expect(page.getByRole('button', { name: 'Run the simulation' })).toBeEnabled();
  await expect(progress).toHaveCount(0);
});

test('the advisor answers honestly, and its answer can be sent on', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PROJECT}/advisor`);
  await settled(page, javaScriptEnabled);
  for (const [group, choice] of [['How many prompts', 'One or two'], ['Who changes', 'One developer'], ['How often', 'Less than once a month'],
    ['How soon', 'With the next deploy'], ['Who asks', 'Nobody']] as const) {
    await page.getByRole('group', { name: group }).getByLabel(choice).check();
  }
  if (!javaScriptEnabled) await page.getByRole('button', { name: 'Answer' }).click();
  await expect(page.getByText('You do not need Cueline.')).toBeVisible();
  await expect(page).toHaveURL(/prompts=couple&people=one&changes=rarely&recovery=deploy&proof=nobody/);
  await page.goto(page.url().replace('proof=nobody', 'proof=auditor'));
  await expect(page.getByText('This is what Cueline is for.')).toBeVisible();
  await expect(page.getByText('An auditor asks who changed what')).toBeVisible();
  await expect(page.getByText(/\/advisor\?prompts=couple.*proof=auditor/)).toBeVisible();
  if (javaScriptEnabled) await expectNoAxeFindings(page);
});

test('both are one step from anywhere', async ({ page }) => {
  await signIn(page, 'viewer');
  const rail = page.getByRole('navigation', { name: 'Main' });
  await rail.getByRole('link', { name: 'Calculators' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Calculators');
  await rail.getByRole('link', { name: 'Advisor' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Advisor');
});
