// Every journey runs twice, in a hydrated page and with script off; files named `*.hydrated.spec.ts`
// need script and run once. The server is the release binary (or CUELINE_E2E_SERVER) with the demo project
// and a fresh database.
import { chmodSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig, devices } from '@playwright/test';
import { ADDRESS, DEMO_KEY, DEMO_PASSWORD } from './support/demo.ts';

const server = process.env.CUELINE_E2E_SERVER ?? '../target/release/cueline';

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

// Workers read this file again: the folder is made once, by the process that starts the server.
const dataDir = (process.env.CUELINE_E2E_DATA ??= newFolder());

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'cueline-e2e-'));
  // Started by root, Postgres runs as somebody else, who must get there.
  chmodSync(folder, 0o755);
  return folder;
}

export default defineConfig({
  testDir: 'tests',
  // Two cores: the server and one browser.
  workers: 1,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  forbidOnly: !!process.env.CI,
  reporter: [['list']],
  use: {
    ...devices['Desktop Chrome'],
    baseURL: ADDRESS,
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: chromium,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    },
  },
  projects: [
    { name: 'hydrated' },
    { name: 'no-script', use: { javaScriptEnabled: false }, testIgnore: '**/*.hydrated.spec.ts' },
  ],
  webServer: {
    command: `${server} demo --listen ${ADDRESS.replace('http://', '')}`,
    url: `${ADDRESS}/readyz`,
    timeout: 120_000,
    stdout: 'ignore',
    stderr: 'pipe',
    gracefulShutdown: { signal: 'SIGTERM', timeout: 15_000 },
    env: {
      CUELINE_DATA_DIR: dataDir,
      CUELINE_DEMO_PASSWORD: DEMO_PASSWORD,
      CUELINE_DEMO_API_KEY: DEMO_KEY,
      CUELINE_LOG: 'warn',
      // The journeys' receivers of webhooks listen on this machine.
      CUELINE_ALLOW_PRIVATE_WEBHOOKS: '127.0.0.1',
      DATABASE_URL: '',
    },
  },
});
