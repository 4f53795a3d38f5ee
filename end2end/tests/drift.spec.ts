// Drift: a viewer reads which prompt is worse than at promotion, by how much and what may be behind it; an
// editor changes the schedule and is told what is wrong with it.
import { PROJECT } from '../support/demo.ts';
import { expect, expectNoAxeFindings, settled, signIn, test } from '../support/test.ts';

const DRIFTED = 'reviews/sentiment';
const HEALTHY = 'moderation/sms-spam';

test('a viewer reads how every prompt stands', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(PROJECT);
  await settled(page, javaScriptEnabled);
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Drift' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Drift');
  const rows = page.getByRole('row');
  await expect(rows.nth(1)).toContainText(DRIFTED);
  await expect(rows.nth(1)).toContainText('drifted');
  await expect(rows.filter({ hasText: HEALTHY })).toContainText('healthy');
  await expect(rows.filter({ hasText: 'support/triage' })).toContainText('There is no suite to run');
  await page.goto(`${PROJECT}/drift?state=healthy`);
  await expect(page.getByRole('row').filter({ hasText: HEALTHY })).toHaveCount(1);
  await expect(page.getByRole('row').filter({ hasText: DRIFTED })).toHaveCount(0);
});

test('a viewer reads what was found, and what changed', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PROJECT}/drift/${DRIFTED}`);
  await settled(page, javaScriptEnabled);
  await expect(page.locator('.verdict strong')).toHaveText(/^Worse than at promotion: .* of 150 cases pass/);
  const chart = page.getByRole('region', { name: 'Since promotion' });
  await expect(chart.locator('figcaption')).toContainText('below its lower limit');
  await expect(page.getByRole('region', { name: 'What changed since promotion' })).toContainText('b1-unknown');
  const checks = page.getByRole('region', { name: 'Checks' });
  for (const state of ['healthy', 'watch', 'drifted']) await expect(checks).toContainText(state);
  await expect(page.getByRole('region', { name: 'Inputs' })).toContainText('German');
  // Whoever reads cannot act.
  await expect(page.getByRole('button', { name: /^(Run now|Save schedule)/ })).toHaveCount(0);
  if (javaScriptEnabled) await expectNoAxeFindings(page);
});

test('an editor changes when a prompt is checked', async ({ page, javaScriptEnabled, complaints }) => {
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/drift/support/refund-policy`);
  await settled(page, javaScriptEnabled);
  await page.getByLabel('When', { exact: true }).fill('* * * * *');
  await page.getByRole('button', { name: 'Save schedule' }).click();
  await expect(page.getByRole('alert').first()).toContainText('Must leave an hour between two checks');
  await page.getByLabel('When', { exact: true }).fill('15 6 * * 3');
  await page.getByLabel('Time zone').fill('Europe/Berlin');
  await page.getByRole('button', { name: 'Save schedule' }).click();
  await expect(page.getByRole('region', { name: 'Schedule' })).toContainText('(Europe/Berlin)');
  await page.reload();
  await expect(page.getByLabel('When', { exact: true })).toHaveValue('15 6 * * 3');
  // The browser reports the refusal's own status.
  expect(complaints.splice(0).filter((line) => !line.includes('status of 422'))).toEqual([]);
});
