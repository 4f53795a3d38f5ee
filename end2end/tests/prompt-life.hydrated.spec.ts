import { PROJECT } from '../support/demo.ts';
import { expect, settled, signIn, test } from '../support/test.ts';

test('a prompt is created, edited, compared, promoted and rolled back', async ({ page }) => {
  const name = `journeys/greeting-${Date.now().toString(36)}`;
  await signIn(page, 'approver');
  await page.goto(`${PROJECT}/new-prompt`);
  await settled(page, true);
  await page.getByLabel(/^Name/).fill(name);
  await page.getByLabel(/^Description/).fill('Greets people.');
  await page.getByRole('button', { name: /Create/ }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);

  for (const [number, words] of [[1, 'Say hello to {{customer}}.'], [2, 'Say a warm hello to {{customer}} in one line.']] as const) {
    await page.goto(`${PROJECT}/prompts/${name}?tab=edit`);
    await settled(page, true);
    await page.getByRole('textbox', { name: /Message 1|Content|Text/i }).first().fill(words);
    const declare = page.getByRole('button', { name: /Declare/ });
    if (number === 1) await declare.first().click();
    await page.getByLabel(/What changes, and why/).fill(`change ${number}`);
    await page.getByRole('button', { name: /^Save/ }).click();
    await expect(page).toHaveURL(new RegExp(`version=${number}|tab=versions`));
    await expect(page.getByText(`change ${number}`).first()).toBeVisible();
  }

  await page.goto(`${PROJECT}/prompts/${name}?tab=compare&from=1&to=2`);
  await expect(page.locator('ins').first()).toBeVisible();

  for (const number of [1, 2]) {
    await page.goto(`${PROJECT}/prompts/${name}?tab=versions&version=${number}`);
    await settled(page, true);
    await page.getByRole('button', { name: 'Promote', exact: true }).click();
    await page.getByRole('radio', { name: /staging/ }).check();
    await page.getByRole('button', { name: `Promote v${number}` }).click();
    await expect(page.locator('.page-header')).toContainText(`v${number}`);
  }

  // Where one watches it arrive is where one takes it back.
  await page.getByRole('button', { name: 'Roll back to v1' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} is back on v1`);
});
