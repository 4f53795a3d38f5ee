import { DEMO_PASSWORD, email } from '../support/demo.ts';
import { expect, signIn, test } from '../support/test.ts';

test('a page that needs signing in leads to the form and back', async ({ page }) => {
  await page.goto('/p/demo/prompts?q=refund');
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByLabel('E-mail').fill(email('viewer'));
  await page.getByLabel('Password').fill(DEMO_PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/p\/demo\/prompts\?q=refund$/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Prompts');
});

test('a wrong password is refused and the address is kept', async ({ page }) => {
  await page.goto('/sign-in');
  await page.getByLabel('E-mail').fill(email('editor'));
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText(/wrong|not right|do not match/i);
  await expect(page.getByLabel('E-mail')).toHaveValue(email('editor'));
});

test('signing out ends the session', async ({ page }) => {
  await signIn(page, 'viewer');
  // An open page would ask for its live feed once more, and say in the console that it is refused.
  await page.goto('about:blank');
  const answer = await page.request.post('/sign-out', { maxRedirects: 0 });
  expect(answer.status()).toBe(303);
  await page.goto('/p/demo');
  await expect(page).toHaveURL(/\/sign-in/);
});
