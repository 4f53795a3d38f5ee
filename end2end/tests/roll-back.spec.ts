import { Client, call, newEnvironment, newPrompt, promote } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { expect, signIn, test } from '../support/test.ts';

test('an engineer rolls back and sees every client confirm, and undoes it', async ({ page, javaScriptEnabled }) => {
  const environment = await newEnvironment();
  const name = await newPrompt(['one', 'two']);
  await promote(name, 1, environment);
  await promote(name, 2, environment);
  const clients = await Promise.all(['web-1', 'web-2'].map((client) => Client.connect(client, environment)));
  await expect.poll(() => clients.map((client) => client.serves.get(name))).toEqual([2, 2]);
  // The clients' arrival is written down in batches, within moments.
  await expect.poll(async () => {
    const consumers = (await call('GET', '/consumers')).body.items as { environment: string }[];
    return consumers.filter((consumer) => consumer.environment === environment).length;
  }).toBe(2);

  await signIn(page, 'editor');
  const row = page.getByRole('row').filter({ hasText: name.split('/')[1]! }).filter({ hasText: environment }).first();
  await row.getByRole('link', { name: /Roll back/ }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Roll back ${name}`);
  await expect(page.getByText(`2 clients in ${environment} switch`)).toBeVisible();
  const button = page.getByRole('button', { name: 'Roll back to v1' });
  if (javaScriptEnabled) await expect(button).toBeFocused();
  await button.click();

  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} is back on v1`);
  if (!javaScriptEnabled) await page.reload();
  await expect(page.getByText('All 2 clients serve v1.')).toBeVisible();
  await expect(page.getByText('2/2')).toBeVisible();
  expect(clients.map((client) => client.serves.get(name))).toEqual([1, 1]);

  await page.getByRole('button', { name: 'Undo: serve v2 again' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} is back on v2`);
  await expect.poll(() => clients.map((client) => client.serves.get(name))).toEqual([2, 2]);
  for (const client of clients) client.close();
});

test('a viewer can look but not roll back', async ({ page }) => {
  const name = await newPrompt(['one', 'two']);
  await promote(name, 1);
  await promote(name, 2);
  await signIn(page, 'viewer');
  await expect(page.getByRole('table').first()).toBeVisible();
  await expect(page.getByRole('link', { name: /Roll back/ })).toHaveCount(0);
  await page.goto(`${PROJECT}/roll-back/${name}?environment=production`);
  await expect(page.getByRole('button', { name: /Roll back/ })).toBeDisabled();
  // The door behind the page is closed as well.
  const path = `/prompts/${encodeURIComponent(name)}`;
  const before = (await call('GET', path)).body.active_version;
  const answer = await page.request.post(`/api/v1${path}/rollback`, {
    data: { environment: 'production' }, headers: { 'x-cueline-project': 'demo' },
  });
  expect(answer.status()).toBe(403);
  expect((await answer.json()).detail).toContain('editor');
  expect((await call('GET', path)).body.active_version).toBe(before);
});

test('somebody who was overtaken is told so and nothing is changed', async ({ page, complaints }) => {
  const name = await newPrompt(['one', 'two', 'three']);
  for (const version of [1, 2]) await promote(name, version);
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/roll-back/${name}?environment=production`);
  await promote(name, 3);
  await page.getByRole('button', { name: 'Roll back to v1' }).click();
  await expect(page.getByText(/changed meanwhile/)).toBeVisible();
  // The browser reports the refusal's own status.
  expect(complaints.splice(0).filter((line) => !line.includes('status of 409'))).toEqual([]);
  expect((await call('GET', `/prompts/${encodeURIComponent(name)}`)).body.active_version).toBe(3);
});
