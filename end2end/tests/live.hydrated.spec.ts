import { newPrompt, promote } from '../support/api.ts';
import { expect, settled, signIn, test } from '../support/test.ts';

test('what changes on the server changes on screen without a reload', async ({ page }) => {
  const name = await newPrompt(['one']);
  await signIn(page, 'viewer');
  await settled(page, true);
  await page.evaluate(() => ((window as any).stillTheSamePage = true));
  await promote(name, 1);
  const row = page.getByRole('row').filter({ hasText: name.split('/')[1]! });
  await expect(row.first()).toContainText('production', { timeout: 2_000 });
  expect(await page.evaluate(() => (window as any).stillTheSamePage)).toBe(true);
});
