// The test every spec uses: signs in, and fails on anything the browser's console complains of,
// a hydration warning or a refused script included.
import { AxeBuilder } from '@axe-core/playwright';
import { expect, test as base, type Page } from '@playwright/test';
import { DEMO_PASSWORD, email, type Role } from './demo.ts';

export const test = base.extend<{ complaints: string[] }>({
  complaints: [async ({ page }, use, info) => {
    const complaints: string[] = [];
    page.on('console', (message) => {
      // On a slow machine the browser wonders what it was to load the program early for.
      if (message.text().includes('was preloaded using link preload but not used')) return;
      if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
    await use(complaints);
    // A page that is meant to answer 4xx says so in the console; such tests take the line out themselves.
    expect(complaints, 'the console is clean').toEqual([]);
    void info;
  }, { auto: true }],
});

export { expect };

export async function signIn(page: Page, role: Role) {
  await page.goto('/sign-in');
  await page.getByLabel('E-mail').fill(email(role));
  await page.getByLabel('Password').fill(DEMO_PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/p\/demo$/);
}

// Waits until the page is hydrated; without script there is nothing to wait for.
export async function settled(page: Page, isHydrated: boolean) {
  if (isHydrated) await expect(page.locator('[data-state="live"]').first()).toBeVisible();
}

export async function expectNoAxeFindings(page: Page) {
  const results = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  const findings = results.violations.map((violation) =>
    `${violation.id}: ${violation.help}\n  ${violation.nodes.map((node) => node.target.join(' ')).join('\n  ')}`);
  expect(findings).toEqual([]);
}
