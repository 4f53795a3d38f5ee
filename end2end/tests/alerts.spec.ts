// A rule fires, the inbox shows it, somebody takes care of it, and a webhook was told with a signature.
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { call, newEnvironment, newPrompt } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { expect, expectNoAxeFindings, settled, signIn, test } from '../support/test.ts';

async function receiver() {
  const heard: { headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => { heard.push({ headers: request.headers, body }); response.writeHead(204).end(); });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return { heard, url, close: () => server.close() };
}

test('a rule fires, the inbox says so, and a webhook is told', async ({ page, javaScriptEnabled }) => {
  const environment = await newEnvironment({ gate: false, approvals: 1 });
  const name = await newPrompt(['one']);
  const there = await receiver();
  const hook = (await call('POST', '/webhooks', { name: `hook of ${name}`, url: there.url, alerts: ['approval_waiting'] })).body;
  const rule = (await call('POST', '/alert-rules', { name: `rule of ${name}`, kind: 'approval_waiting', environment, threshold: 0.0001 })).body;
  expect(hook.secret).toMatch(/^whsec_/);
  expect(rule.threshold).toBe(0.0001);

  await signIn(page, 'admin');
  await page.goto(`${PROJECT}/alerts`);
  await settled(page, javaScriptEnabled ?? true);
  const asked = await call('POST', `/prompts/${encodeURIComponent(name)}/promotions`, { environment, version: 1, reason: 'for a test' });
  expect(asked.status).toBe(201);

  // With script the open inbox shows it by itself.
  const alert = page.getByRole('link', { name: `${name} v1 to ${environment}` });
  await expect(async () => {
    if (!javaScriptEnabled) await page.reload();
    await expect(alert).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 20_000 });
  await alert.click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} v1 to ${environment}`);
  await expect(page.getByText('It fires')).toBeVisible();
  if (javaScriptEnabled) await expectNoAxeFindings(page);
  await page.getByLabel(/^Note/).fill('Asking Priya.');
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await expect(page.getByText('Asking Priya.')).toBeVisible();
  await expect(page.getByText('taken care of').first()).toBeVisible();

  // What was sent can be checked by anybody who has the secret.
  await expect.poll(() => there.heard.length).toBeGreaterThan(0);
  const sent = there.heard.find((sent) => sent.body.includes(name));
  expect(sent).toBeDefined();
  const [, time, code] = String(sent!.headers['x-cueline-signature']).match(/^t=(\d+),v1=([0-9a-f]{64})$/)!;
  expect(createHmac('sha256', hook.secret).update(`${time}.${sent!.body}`).digest('hex')).toBe(code);

  await page.goto(`${PROJECT}/settings/webhooks`);
  await page.getByRole('link', { name: `hook of ${name}`, exact: true }).click();
  await expect(page.getByText('delivered').first()).toBeVisible();
  await page.getByRole('button', { name: 'Send a test' }).click();
  const tested = page.getByRole('row', { name: /A test from Cueline/ });
  await expect(async () => {
    if (!javaScriptEnabled) await page.reload();
    await expect(tested.getByText('delivered')).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 20_000 });
  if (javaScriptEnabled) await expectNoAxeFindings(page);

  await call('DELETE', `/alert-rules/${rule.id}`);
  await call('DELETE', `/webhooks/${hook.id}`);
  there.close();
});

test('an admin adds a webhook and sees its secret once', async ({ page, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, 'the secret is shown in the page that asked for it');
  const name = `hook ${Date.now().toString(36)}`;
  await signIn(page, 'admin');
  await page.goto(`${PROJECT}/settings/webhooks`);
  await settled(page, true);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Address').fill('https://hooks.example.com/cueline');
  await page.getByRole('button', { name: 'Add webhook' }).click();
  await expect(page.getByRole('heading', { name: `Secret of “${name}”: copy it now` })).toBeVisible();
  await expect(page.getByRole('link', { name, exact: true })).toBeVisible();
  const hooks = (await call('GET', '/webhooks')).body.items as { id: string; name: string }[];
  await call('DELETE', `/webhooks/${hooks.find((hook) => hook.name === name)!.id}`);
});

test('a viewer reads rules and alerts, and no addresses', async ({ page }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PROJECT}/settings/alerts`);
  await expect(page.getByText('Propagation stuck').first()).toBeVisible();
  await expect(page.getByRole('button', { name: 'Add rule' })).toHaveCount(0);
  await page.goto(`${PROJECT}/settings/webhooks`);
  await expect(page.getByText(/takes the admin role/)).toBeVisible();
});
