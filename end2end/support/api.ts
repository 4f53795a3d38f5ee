// The API as an application uses it: making prompts, and following a stream like a real client.
import { ADDRESS, DEMO_KEY } from './demo.ts';

export async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> {
  const response = await fetch(`${ADDRESS}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${DEMO_KEY}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}

async function done(method: string, path: string, body: unknown): Promise<any> {
  const answer = await call(method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

let made = 0;

// A prompt nobody else in this run uses, with so many versions.
export async function newPrompt(versions: string[], folder = 'tests'): Promise<string> {
  const name = `${folder}/p${process.pid}-${Date.now().toString(36)}-${made++}`;
  await done('POST', '/prompts', { name, description: 'Made by a browser test.', tags: ['test'] });
  for (const words of versions) await newVersion(name, words);
  return name;
}

export async function newVersion(name: string, words: string): Promise<number> {
  const content = { type: 'text', messages: [{ role: 'user', content: words }] };
  const path = `/prompts/${encodeURIComponent(name)}/versions`;
  return (await done('POST', path, { content, change_description: `says ${words}` })).number;
}

export async function promote(name: string, version: number, environment = 'production'): Promise<void> {
  const prompt = `/prompts/${encodeURIComponent(name)}`;
  const body = { environment, version, reason: 'for a test' };
  // The demo's production asks for a gate and an approval, which is not what these tests are about.
  if (environment === 'production') { await done('POST', `${prompt}/break-glass`, body); return; }
  const promotion = await done('POST', `${prompt}/promotions`, body);
  if (promotion.status !== 'executed') throw new Error(`promotion is ${promotion.status}`);
}

// An environment nobody else follows, so that a test knows how many clients there are.
export async function newEnvironment(policy = { gate: false, approvals: 0 }): Promise<string> {
  const name = `e2e-${Date.now().toString(36)}-${made++}`;
  await done('POST', '/environments', { name, policy });
  return name;
}

// A client that holds a stream open and confirms what it hears, as an SDK does.
export class Client {
  private readonly abort = new AbortController();
  readonly serves = new Map<string, number>();
  private connected!: () => void;
  private readonly ready = new Promise<void>((resolve) => (this.connected = resolve));

  private constructor(private readonly name: string, private readonly environment: string) {}

  static async connect(name: string, environment: string): Promise<Client> {
    const client = new Client(name, environment);
    void client.follow().catch((error) => { if (!client.abort.signal.aborted) throw error; });
    await client.ready;
    return client;
  }

  private async follow() {
    const query = `environment=${this.environment}&consumer=${this.name}`;
    const response = await fetch(`${ADDRESS}/api/v1/stream?${query}`, {
      headers: { authorization: `Bearer ${DEMO_KEY}` },
      signal: this.abort.signal,
    });
    let waiting = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      waiting += chunk;
      for (let end = waiting.indexOf('\n\n'); end >= 0; end = waiting.indexOf('\n\n')) {
        await this.hear(waiting.slice(0, end));
        waiting = waiting.slice(end + 2);
      }
    }
  }

  private async hear(message: string) {
    const field = (name: string) => message.match(new RegExp(`^${name}: ?(.*)$`, 'm'))?.[1] ?? '';
    const data = field('data') === '' ? {} : JSON.parse(field('data'));
    if (field('event') === 'snapshot') {
      for (const [name, version] of Object.entries(data.prompts)) this.serves.set(name, version as number);
      this.connected();
    }
    if (field('event') === 'deployment') {
      this.serves.set(data.prompt, data.version);
      await done('POST', '/stream/ack', { consumer: this.name, deployment_id: data.deployment_id }).catch(() => {});
    }
  }

  close() { this.abort.abort(); }
}
