import { call, newEnvironment, newPrompt } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { expect, expectNoAxeFindings, signIn, test } from '../support/test.ts';

test('an author asks, cannot approve, and a lead makes it go live', async ({ page, javaScriptEnabled }) => {
  const environment = await newEnvironment({ gate: false, approvals: 1 });
  const name = await newPrompt(['one', 'two']);
  const path = `/prompts/${encodeURIComponent(name)}/promotions`;

  // The author asks on the version's own page; without script dialogs stay closed, so by program there.
  await signIn(page, 'editor');
  if (javaScriptEnabled) {
    await page.goto(`${PROJECT}/prompts/${name}?tab=versions&version=2`);
    await page.getByRole('button', { name: 'Promote', exact: true }).click();
    await page.getByRole('radio', { name: new RegExp(environment) }).check();
    await page.getByLabel(/^Reason/).fill('Says two.');
    await page.getByRole('button', { name: 'Promote v2' }).click();
  } else {
    const answer = await page.request.post(`/api/v1${path}`, {
      data: { environment, version: 2, reason: 'Says two.' }, headers: { 'x-cueline-project': 'demo' },
    });
    expect(answer.status()).toBe(201);
    await page.goto(`${PROJECT}/approvals/${(await answer.json()).id}`);
  }
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} v2 → ${environment}`);
  await expect(page.getByText(/1 approval by an approver/)).toBeVisible();
  await expect(page.getByRole('button', { name: /^Approve/ })).toHaveCount(0);
  const review = page.url();
  const id = review.split('/').pop();
  const refused = await page.request.post(`/api/v1/promotions/${id}/approve`, { headers: { 'x-cueline-project': 'demo' } });
  expect(refused.status()).toBe(403);

  await page.context().clearCookies();
  await signIn(page, 'approver');
  await page.goto(`${PROJECT}/approvals`);
  await page.getByRole('link', { name: new RegExp(`${name} v2`) }).click();
  await expect(page.getByText('Says two.')).toBeVisible();
  if (javaScriptEnabled) {
    await expectNoAxeFindings(page);
    await page.getByRole('button', { name: 'Approve', exact: true }).click();
    await page.getByRole('button', { name: 'Approve v2' }).click();
    await page.getByRole('button', { name: 'Go live' }).click();
    await page.getByRole('button', { name: 'Serve v2' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} is on v2`);
  } else {
    for (const verb of ['approve', 'execute']) {
      const done = await page.request.post(`/api/v1/promotions/${id}/${verb}`, { headers: { 'x-cueline-project': 'demo' } });
      expect(done.status()).toBe(200);
    }
    await page.reload();
    await expect(page.getByText('executed').first()).toBeVisible();
  }
  const serving = (await call('GET', `/prompts/${encodeURIComponent(name)}`)).body.serving as { environment: string; version: number }[];
  expect(serving.find((place) => place.environment === environment)?.version).toBe(2);
});
