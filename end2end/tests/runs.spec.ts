// Evals against a model of the tests' own: launch, watch, results, compare; cancel; what is missing is said plainly.
import { call, newPrompt } from '../support/api.ts';
import { PROJECT } from '../support/demo.ts';
import { FakeModel } from '../support/model.ts';
import { expect, expectNoAxeFindings, settled, signIn, test } from '../support/test.ts';

const N_CASES = 30;
let made = 0;

// A prompt with a poor and a better version, a suite for it, and a provider that answers at `url`.
async function setUp(url: string | null): Promise<{ name: string; suite: string; suiteName: string }> {
  const name = await newPrompt([]);
  const provider = `toy-${process.pid}-${Date.now().toString(36)}-${made++}`;
  if (url !== null) {
    const answer = await call('POST', '/providers', { name: provider, kind: 'openai', base_url: url, max_concurrency: 4 });
    expect(answer.status).toBe(201);
  }
  for (const words of ['Guess:', 'Think:']) {
    const answer = await call('POST', `/prompts/${encodeURIComponent(name)}/versions`, {
      content: {
        type: 'chat', messages: [{ role: 'user', content: `${words} {{review}}` }],
        variables: [{ name: 'review', type: 'string', required: true, max_length: 2000 }], model: { provider, name: 'toy-1' },
      },
      change_description: words,
    });
    expect(answer.status).toBe(201);
  }
  const suiteName = `Reviews of ${name}`;
  const suite = (await call('POST', '/suites', { name: suiteName, prompt: name, scorers: [{ type: 'equals' }] })).body.id as string;
  for (let number = 0; number < N_CASES; number++) {
    const [review, expected] = number % 2 ? ['I love it', 'positive'] : ['It broke', 'negative'];
    const answer = await call('POST', `/suites/${suite}/cases`, { variables: { review: `${review}, number ${number}` }, expected });
    expect(answer.status).toBeLessThan(300);
  }
  return { name, suite, suiteName };
}

// The poor version says positive to everything.
const byWords = (asked: string) => (asked.startsWith('Guess') || asked.includes('love') ? 'positive' : 'negative');

test('an eval is launched, watched, read and compared', async ({ page, javaScriptEnabled }) => {
  test.slow();
  const model = await FakeModel.start(byWords);
  const { name, suite, suiteName } = await setUp(model.url);
  await signIn(page, 'editor');

  const launch = async (version: number) => {
    await page.goto(`${PROJECT}/prompts/${name}?version=${version}`);
    await settled(page, javaScriptEnabled);
    await page.getByRole('link', { name: 'Run eval' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Runs');
    await expect(page.getByLabel('Version', { exact: true })).toHaveValue(String(version));
    const form = page.locator('form').filter({ has: page.getByRole('button', { name: 'Run', exact: true }) });
    await expect(form.getByLabel('Suite', { exact: true })).toHaveValue(suite);
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} v${version}`);
    // With script the page follows by itself.
    await expect(async () => {
      if (!javaScriptEnabled) await page.reload();
      await expect(page.locator('.page-header')).toContainText('completed', { timeout: 2_000 });
    }).toPass({ timeout: 30_000 });
    return page.url();
  };

  const poor = await launch(1);
  await expect(page.getByText('50.0 %').first()).toBeVisible();
  const better = await launch(2);
  await expect(page.getByText('100.0 %').first()).toBeVisible();

  // Nothing serves production: what to hold it against is chosen.
  await expect(page.getByText('Nothing serves production yet.')).toBeVisible();
  await page.getByLabel('Against').selectOption(poor.split('/').pop()!);
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.locator('.verdict')).toContainText('Passed');
  await expect(page.locator('figure figcaption')).toContainText('better');
  await page.getByRole('link', { name: /^gained/ }).click();
  await expect(page).toHaveURL(/show=gained/);
  await expect(page.locator('.case')).toHaveCount(N_CASES / 2);
  await page.locator('.case summary').first().click();
  await expect(page.locator('.case').first().getByText('Baseline, v1')).toBeVisible();
  await expect(page.locator('.case del').first()).toHaveText('positive');
  await expect(page.locator('.case ins').first()).toHaveText('negative');
  if (javaScriptEnabled) await expectNoAxeFindings(page);

  // And the other way round it is a loss.
  await page.goto(`${poor}?against=${better.split('/').pop()}`);
  await expect(page.locator('.verdict')).toContainText('Failed');
  await expect(page.getByRole('link', { name: /^lost/ })).toContainText(String(N_CASES / 2));

  // A failing output becomes a case in two clicks.
  await page.getByRole('link', { name: /^lost/ }).click();
  await expect(page.locator('.case')).toHaveCount(N_CASES / 2);
  const row = page.locator('.case').first();
  await row.locator('summary').first().click();
  await row.getByText('Report a problem').click();
  await row.getByRole('button', { name: 'Add case' }).click();
  await expect(page.getByText('The problem is a case now')).toBeVisible();
  expect((await call('GET', `/suites/${suite}`)).body.n_cases).toBe(N_CASES + 1);

  // The prompt and the list know of both.
  await page.goto(`${PROJECT}/prompts/${name}?tab=evals`);
  await expect(page.getByRole('row').filter({ hasText: suiteName })).toHaveCount(2);
  await page.goto(`${PROJECT}/runs?prompt=${encodeURIComponent(name)}`);
  await expect(page.getByRole('row').filter({ hasText: suiteName })).toHaveCount(2);
  model.stop();
});

test('a run that takes too long is cancelled and keeps what it found', async ({ page, javaScriptEnabled }) => {
  const model = await FakeModel.start(byWords, 1_500);
  const { name, suite } = await setUp(model.url);
  const run = (await call('POST', '/runs', { prompt: name, version: 2, suite })).body.id as string;
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/runs/${run}`);
  await settled(page, javaScriptEnabled);
  await page.getByRole('button', { name: 'Cancel run' }).click();
  await expect(page.getByText('Somebody stopped this run')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Cancel run' })).toHaveCount(0);
  expect((await call('GET', `/runs/${run}`)).body.status).toBe('cancelled');
  model.stop();
});

test('a provider that is missing is said before and at launching', async ({ page, complaints }) => {
  const { name } = await setUp(null);
  await signIn(page, 'editor');
  await page.goto(`${PROJECT}/runs?prompt=${encodeURIComponent(name)}&version=2`);
  await expect(page.getByText(/No provider named toy-.* is configured/)).toBeVisible();
  await expect(page.getByRole('link', { name: 'Settings, Providers' }).first()).toHaveAttribute('href', `${PROJECT}/settings/providers`);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect(page.getByText('The model cannot be asked')).toBeVisible();
  // The browser reports the refusal's own status.
  expect(complaints.splice(0).filter((line) => !line.includes('status of 422'))).toEqual([]);
});

test('an admin sets a gate and everybody reads it', async ({ page, complaints, javaScriptEnabled }) => {
  const { name, suiteName } = await setUp(null);
  await signIn(page, 'admin');
  await page.goto(`${PROJECT}/prompts/${name}?tab=evals`);
  await settled(page, javaScriptEnabled);
  await page.getByRole('link', { name: 'Set gate for production' }).click();
  await page.getByRole('radio', { name: /Statistical/ }).check();
  await page.getByLabel(/^Lowest pass rate/).fill('80');
  await page.getByRole('button', { name: 'Set gate' }).click();
  const gate = page.getByRole('region', { name: 'production' });
  await expect(gate).toContainText(suiteName);
  await expect(gate).toContainText('At least 80.0 % pass.');
  await page.goto(`${PROJECT}/prompts/${name}?tab=evals&gate=production`);
  await settled(page, javaScriptEnabled);
  await page.getByLabel(/^Lowest pass rate/).fill('180');
  await page.getByRole('button', { name: 'Set gate' }).click();
  await expect(page.getByText('Must be from 0 to 100.').first()).toBeVisible();
  // The browser reports the refusal's own status.
  expect(complaints.splice(0).filter((line) => !line.includes('status of 422'))).toEqual([]);
});

test('a viewer reads runs and cannot launch one', async ({ page }) => {
  await signIn(page, 'viewer');
  await page.goto(`${PROJECT}/runs?launch=1`);
  await expect(page.getByText('Running evals needs the editor role.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Run', exact: true })).toHaveCount(0);
});
