// The monitor: an application's own OpenTelemetry exporter reports calls, and people see them by version,
// environment and window; the demo's story of a version that was rolled back can be read in it.
import { randomUUID } from 'node:crypto';
import { SpanStatusCode } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { call, newPrompt, promote } from '../support/api.ts';
import { ADDRESS, DEMO_KEY, PROJECT } from '../support/demo.ts';
import { expect, expectNoAxeFindings, settled, signIn, test } from '../support/test.ts';

const TOLD = `${PROJECT}/prompts/onboarding/welcome-mail`;

// Calls as an instrumented application makes them, sent by the exporter everybody uses.
async function exportCalls(prompt: string, calls: { version: number; ms: number; error?: string }[]) {
  const exporter = new OTLPTraceExporter({
    url: `${ADDRESS}/v1/traces`,
    headers: { authorization: `Bearer ${DEMO_KEY}` },
    compression: CompressionAlgorithm.GZIP,
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'shop', 'deployment.environment.name': 'production' }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('shop');
  const end = Date.now() - 1_000;
  for (const { version, ms, error } of calls) {
    const span = tracer.startSpan('chat claude-sonnet-4-6', {
      startTime: end - ms,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'anthropic',
        'gen_ai.request.model': 'claude-sonnet-4-6',
        'gen_ai.prompt.name': prompt,
        'gen_ai.prompt.version': version,
        'gen_ai.usage.input_tokens': 1_000,
        'gen_ai.usage.output_tokens': 100,
        'gen_ai.usage.cache_read.input_tokens': 750,
        'gen_ai.server.time_to_first_token': ms / 4_000,
        'user.id': 'u1',
      },
    });
    if (error !== undefined) {
      span.setAttribute('error.type', error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'it failed' });
    }
    span.end(end);
  }
  await provider.forceFlush();
  await provider.shutdown();
}

test('calls from a real exporter show within moments, by version', async ({ page, javaScriptEnabled }) => {
  const name = await newPrompt(['one', 'two']);
  await promote(name, 2);
  await signIn(page, 'viewer');
  const address = `${PROJECT}/prompts/${name}?tab=monitor`;
  await page.goto(`${address}&window=1h`);
  await expect(page.getByText('No traffic in this window')).toBeVisible();
  await exportCalls(name, [
    ...Array.from({ length: 16 }, () => ({ version: 2, ms: 400 })),
    ...Array.from({ length: 3 }, () => ({ version: 1, ms: 900 })),
    { version: 1, ms: 900, error: 'RateLimitError' },
  ]);
  const numbers = page.getByRole('group', { name: 'In this window' });
  await expect(async () => {
    await page.reload();
    await expect(numbers).toContainText('Requests20', { timeout: 1_000 });
  }).toPass();
  await settled(page, javaScriptEnabled);
  await expect(numbers).toContainText('95.0 %');
  await expect(numbers).toContainText('75.0 %');
  await expect(page.getByRole('region', { name: 'Failures' })).toContainText('rate limited');
  await expect(page.getByRole('region', { name: 'Meanwhile' })).toContainText('v2');
  const versions = page.getByRole('region', { name: 'By version', exact: true });
  await expect(versions.getByRole('row').filter({ hasText: 'v2' })).toContainText('100.0 %');

  // Two versions side by side.
  await page.getByLabel('Version', { exact: true }).selectOption('1');
  await page.getByLabel('Compared with').selectOption('2');
  await page.getByRole('button', { name: 'Show' }).click();
  const pair = page.getByRole('region', { name: 'v1 and v2' });
  await expect(pair.getByRole('row').filter({ hasText: 'Success rate' })).toContainText('+25.0 pp');
  await expect(pair.getByRole('row').filter({ hasText: 'Latency p95' })).toContainText('−5');

  // Nothing came from staging.
  await page.goto(`${address}&window=24h&environment=staging`);
  await expect(page.getByText('No call of this prompt was reported from staging in the last 24 hours.')).toBeVisible();
});

test('the story of a version that was rolled back can be read', async ({ page, javaScriptEnabled }) => {
  await signIn(page, 'viewer');
  await page.goto(PROJECT);
  // Which prompts fail or are busy moves with the hours, and with what other tests report.
  await page.getByRole('link', { name: /^Monitor \S+: [\d,]+ requests in 24 h/ }).first().click();
  await expect(page).toHaveURL(/tab=monitor/);
  await page.goto(`${PROJECT}/prompts/onboarding/welcome-mail?tab=monitor`);
  await page.getByRole('navigation', { name: 'Window' }).getByRole('link', { name: '7 days' }).click();
  await expect(page).toHaveURL(/window=7d/);
  await settled(page, javaScriptEnabled);
  for (const region of ['Requests', 'Success rate', 'Latency', 'Time to first token', 'Tokens', 'Cost', 'Cache hits', 'Feedback']) {
    const section = page.getByRole('region', { name: region, exact: true });
    await expect(section.locator('figcaption')).toContainText('over the window');
    await section.getByText('Numbers').first().click();
    await expect(section.getByRole('columnheader', { name: 'From, UTC' })).toBeVisible();
  }
  await expect(page.getByRole('region', { name: 'Meanwhile' })).toContainText('rolled back');
  await expect(page.getByRole('region', { name: 'Failures' })).toContainText('timed out');
  if (javaScriptEnabled) await expectNoAxeFindings(page);
  await page.goto(`${TOLD}?tab=monitor&window=90d&environment=all`);
  await expect(page.getByRole('link', { name: '90 days' })).toHaveAttribute('aria-current', 'true');
});

test('what is kept of calls is redacted, and becomes a case in two clicks', async ({ page, complaints }) => {
  const name = await newPrompt(['one']);
  await call('POST', '/suites', { name: `samples of ${name}`, prompt: name, scorers: [{ type: 'icontains' }] });
  await signIn(page, 'admin');
  const address = `${PROJECT}/prompts/${name}?tab=monitor&window=1h`;
  await page.goto(address);
  const samples = page.getByRole('region', { name: 'Samples' });
  await samples.getByText('What is kept').click();
  await samples.getByLabel('Share of calls, percent').fill('250');
  await samples.getByRole('button', { name: 'Save' }).click();
  await expect(samples).toContainText('must be a number from 0 to 100');
  await page.goto(address);
  await samples.getByText('What is kept').click();
  await samples.getByLabel('Share of calls, percent').fill('100');
  await samples.getByLabel('Taken out: regular expressions, one a line').fill('[\\w.]+@[\\w.]+');
  await samples.getByRole('button', { name: 'Save' }).click();
  await expect(samples).toContainText('100 % of the calls');
  const event = { id: randomUUID(), type: 'generation', prompt: name, version: 1, environment: 'production', latency_ms: 300 };
  await call('POST', '/events', [{ ...event, variables: { mail: 'from anna@acme.example' }, output: 'Dear anna@acme.example, done.' }]);
  await page.goto(address);
  await expect(samples.getByRole('region', { name: 'Output' })).toHaveText('Dear [redacted], done.');
  await expect(samples.getByRole('region', { name: 'Input' })).toContainText('from [redacted]');
  await samples.getByRole('button', { name: 'Add to golden suite' }).click();
  await expect(page).toHaveURL(/\/suites\//);
  await expect(page.getByText('from [redacted]').first()).toBeVisible();
  // Back to what every project has until somebody says otherwise.
  await page.goto(address);
  await samples.getByText('What is kept').click();
  await samples.getByLabel('Share of calls, percent').fill('0');
  await samples.getByRole('button', { name: 'Save' }).click();
  await expect(samples).toContainText('Off: of inputs and outputs nothing is kept');
  // The browser reports the refusal's own status.
  expect(complaints.splice(0).filter((line) => !line.includes('status of 422'))).toEqual([]);
});
