// Every page as an admin: reads without script, and axe finds nothing in either theme and at either width.
import type { Page } from '@playwright/test';
import { call } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { expect, expectNoAxeFindings, signIn, test } from '../support/test.ts';

const PROMPT = `${PROJECT}/prompts/support/triage`;
const PAGES: [path: string, heading: string | RegExp][] = [
  [PROJECT, 'Overview'],
  [`${PROJECT}/prompts`, 'Prompts'],
  [`${PROJECT}/prompts?folder=support`, 'Prompts'],
  [`${PROJECT}/prompts?q=nothing-is-called-this`, 'Prompts'],
  [`${PROJECT}/new-prompt`, 'New prompt'],
  [PROMPT, 'support/triage'],
  [`${PROMPT}?tab=versions&version=1`, 'support/triage'],
  [`${PROMPT}?tab=compare&from=1&to=2`, 'support/triage'],
  [`${PROJECT}/prompts/support/shop-handbook?tab=compare&from=3&to=4`, 'support/shop-handbook'],
  [`${PROMPT}?tab=edit`, 'support/triage'],
  [`${PROMPT}?tab=releases`, 'support/triage'],
  [`${PROMPT}?tab=monitor`, 'support/triage'],
  [`${PROMPT}?tab=monitor&window=30d&environment=all`, 'support/triage'],
  [`${PROMPT}?tab=monitor&environment=development`, 'support/triage'],
  [`${PROMPT}?tab=settings`, 'support/triage'],
  [`${PROJECT}/roll-back/support/triage?environment=production`, 'Roll back support/triage'],
  [`${PROJECT}/approvals`, 'Approvals'],
  [`${PROJECT}/alerts`, 'Alerts'],
  [`${PROJECT}/alerts?all=1`, 'Alerts'],
  [`${PROJECT}/suites`, 'Suites'],
  [`${PROJECT}/suites?new=1`, 'Suites'],
  [`${PROJECT}/runs`, 'Runs'],
  [`${PROJECT}/runs?launch=1`, 'Runs'],
  [`${PROMPT}?tab=evals`, 'support/triage'],
  [`${PROJECT}/experiments`, 'Experiments'],
  [`${PROJECT}/experiments?status=concluded`, 'Experiments'],
  [`${PROJECT}/new-experiment`, 'New experiment'],
  [`${PROJECT}/new-experiment?plan%5Bprompt%5D=support%2Ftriage`, 'New experiment'],
  [`${PROMPT}?tab=experiments`, 'support/triage'],
  ...['sample-size', 'detectable-effect', 'z-test', 'always-valid', 'sample-ratio', 'threshold-risk', 'cache-cost']
    .map((tool): [string, string] => [`${PROJECT}/calculators?tool=${tool}`, 'Calculators']),
  [`${PROJECT}/drift`, 'Drift'],
  [`${PROJECT}/drift?state=watch`, 'Drift'],
  [`${PROJECT}/drift/reviews/sentiment`, 'reviews/sentiment'],
  [`${PROJECT}/drift/support/triage`, 'support/triage'],
  [`${PROJECT}/advisor`, 'Advisor'],
  [`${PROJECT}/advisor?prompts=few&people=several&changes=weekly&recovery=deploy&proof=team`, 'Advisor'],
  [`${PROJECT}/audit`, 'Audit'],
  [`${PROJECT}/audit/2`, /./],
  [`${PROJECT}/settings`, /Members|Settings/],
  [`${PROJECT}/settings/keys`, /API keys|Settings/],
  [`${PROJECT}/settings/providers`, /Providers|Settings/],
  [`${PROJECT}/settings/prices`, /Prices|Settings/],
  [`${PROJECT}/settings/environments`, /Environments|Settings/],
  [`${PROJECT}/settings/alerts`, /Alerts|Settings/],
  [`${PROJECT}/settings/webhooks`, /Webhooks|Settings/],
  [`${PROJECT}/settings/profile`, /Profile|Settings/],
  ['/new-project', 'New project'],
];

// Pages whose addresses the API tells.
const first = async (path: string, field = 'id') => (await call('GET', path)).body.items[0][field];
const suite = () => first('/suites');
const FOUND: [what: string, path: () => Promise<string>][] = [
  ['a run', async () => `${PROJECT}/runs/${await first('/runs')}`],
  ['a run, the cases that were lost', async () => `${PROJECT}/runs/${await first('/runs')}?show=lost`],
  ['a review', async () => `${PROJECT}/approvals/${await first('/promotions')}`],
  ['an alert', async () => `${PROJECT}/alerts/${await first('/alerts')}`],
  ['a deployment', async () => `${PROJECT}/deployments/${await first('/deployments', 'deployment_id')}`],
  ['a suite', async () => `${PROJECT}/suites/${await suite()}`],
  ['a suite with a case open', async () => `${PROJECT}/suites/${await suite()}?case=1`],
  ['a problem being reported', async () => `${PROJECT}/suites/${await suite()}?case=report`],
  ...['scorers', 'import', 'revisions']
    .map((tab): [string, () => Promise<string>] => [`a suite, ${tab}`, async () => `${PROJECT}/suites/${await suite()}?tab=${tab}`]),
  ...[0, 1, 2, 3].map((n): [string, () => Promise<string>] =>
    [`experiment ${n + 1}`, async () => `${PROJECT}/experiments/${(await call('GET', '/experiments')).body.items.at(-1 - n).id}`]),
];

async function expectToReadWell(page: Page, isHydrated: boolean | undefined) {
  // axe looks at a long page four times.
  test.slow();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      const overflow = () => page.locator('html').evaluate((html) => html.scrollWidth - html.clientWidth);
      await expect.poll(overflow, `nothing sticks out at ${width} px`).toBeLessThanOrEqual(0);
      if (isHydrated) await expectNoAxeFindings(page);
    }
  }
}

for (const [path, heading] of PAGES) {
  test(`${path} reads well`, async ({ page, javaScriptEnabled }) => {
    await signIn(page, 'admin');
    const answer = await page.goto(path);
    expect(answer?.status()).toBe(200);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading);
    await expectToReadWell(page, javaScriptEnabled);
  });
}

for (const [what, path] of FOUND) {
  test(`${what} reads well`, async ({ page, javaScriptEnabled }) => {
    await signIn(page, 'admin');
    const answer = await page.goto(await path());
    expect(answer?.status()).toBe(200);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expectToReadWell(page, javaScriptEnabled);
  });
}

test('a set-up link reads well', async ({ page, javaScriptEnabled }) => {
  const made = await call('POST', '/members', { email: `new-${Date.now()}@demo.local`, name: 'New Colleague', role: 'viewer' });
  await page.goto(new URL(made.body.set_up_link).pathname);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expectToReadWell(page, javaScriptEnabled);
});

test('the description of the API reads well', async ({ page, javaScriptEnabled }) => {
  await page.goto('/api/docs');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: 900 });
    expect(await page.locator('html').evaluate((html) => html.scrollWidth - html.clientWidth)).toBeLessThanOrEqual(0);
  }
  // Hundreds of panels, written by the same few lines: a minute for axe, so it looks at some of each kind.
  await page.locator('main').evaluate((main) => {
    for (const panel of main.querySelectorAll('.section > .panel:nth-of-type(n+4)')) panel.remove();
  });
  await expectToReadWell(page, javaScriptEnabled);
});

test('the sign-in page reads well', async ({ page, javaScriptEnabled }) => {
  await page.goto('/sign-in');
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    if (javaScriptEnabled) await expectNoAxeFindings(page);
  }
});

for (const path of ['/nothing-here', `${PROJECT}/prompts/no/such/prompt`, '/p/no-such-project', `${PROJECT}/audit/999999`, `${PROJECT}/suites/none`, `${PROJECT}/experiments/none`]) {
  test(`${path} is a page that says what is wrong`, async ({ page, complaints, javaScriptEnabled }) => {
    await signIn(page, 'viewer');
    const answer = await page.goto(path);
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    if (javaScriptEnabled) await expectNoAxeFindings(page);
    // The browser reports the page's own status.
    expect(complaints.splice(0).filter((line) => !line.includes('status of 404'))).toEqual([]);
  });
}
