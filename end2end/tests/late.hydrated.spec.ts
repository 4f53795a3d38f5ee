// Pages whose code comes late, in files of its own: on arrival, on the way, and when it cannot come.
import { newPrompt } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { expect, settled, signIn, test } from '../support/test.ts';

const LATE = /\/pkg\/.*(split|chunk)_\w+\.wasm$/;

test('arriving at a late page asks for all its code at once', async ({ page }) => {
  const name = await newPrompt(['one']);
  await signIn(page, 'editor');
  await settled(page, true);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  const document = await page.goto(`${PROJECT}/prompts/${name}`);
  await settled(page, true);

  const links = (await document!.headerValue('link'))!;
  const late = asked.filter((url) => LATE.test(url));
  expect(late.length).toBeGreaterThan(0);
  for (const url of late) expect(links).toContain(`<${new URL(url).pathname}>; rel=preload`);
  // The document names each, so no file waits for another: the script's own requests are answered by those.
  expect(new Set(late).size).toBe(late.length);
});

test('code that cannot come is no dead end', async ({ page, complaints }) => {
  const name = await newPrompt(['one']);
  await signIn(page, 'editor');
  await settled(page, true);
  await page.route(LATE, (route) => route.fulfill({ status: 404 }));

  // On the way: the address is opened as a document, as the server wrote it.
  await page.getByRole('link', { name: 'Audit' }).first().click();
  await expect(page).toHaveURL(`${PROJECT}/audit`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Audit');
  await expect(page.getByRole('table')).toBeVisible();

  // In a page: the editor says so and tries again.
  await page.unroute(LATE);
  await page.goto(`${PROJECT}/prompts/${name}`);
  await settled(page, true);
  await page.route(LATE, (route) => route.fulfill({ status: 404 }));
  await page.getByRole('link', { name: 'Edit', exact: true }).first().click();
  await expect(page.getByText('The server could not be reached')).toBeVisible();
  await page.unroute(LATE);
  await page.getByRole('link', { name: 'Try again' }).click();
  await expect(page.getByLabel('What changes, and why')).toBeVisible();

  expect(complaints.splice(0).filter((line) => !/status of 404|status code is not ok/.test(line))).toEqual([]);
});
