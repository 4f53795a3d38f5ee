// Every page as an admin: reads without script, and axe finds nothing in either theme and at either width.
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

for (const [path, heading] of PAGES) {
  test(`${path} reads well`, async ({ page, javaScriptEnabled }) => {
    await signIn(page, 'admin');
    const answer = await page.goto(path);
    expect(answer?.status()).toBe(200);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(heading);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [1440, 390]) {
        await page.setViewportSize({ width, height: 900 });
        const overflow = () => page.locator('html').evaluate((html) => html.scrollWidth - html.clientWidth);
        await expect.poll(overflow, `nothing sticks out at ${width} px`).toBeLessThanOrEqual(0);
        if (javaScriptEnabled) await expectNoAxeFindings(page);
      }
    }
  });
}

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
