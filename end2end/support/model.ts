// A model's endpoint of the tests' own, spoken to as OpenAI is: it answers after a while, by the words it is asked.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export class FakeModel {
  private constructor(private readonly server: Server, readonly url: string) {}

  // `answer` gets everything that was asked, as one text.
  static async start(answer: (asked: string) => string, delay = 30): Promise<FakeModel> {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => setTimeout(() => {
        const asked = (JSON.parse(body).messages as { content: string }[]).map((message) => message.content).join('\n');
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({
          id: 'answer', object: 'chat.completion', model: 'toy-1', system_fingerprint: 'fp_toy',
          choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: answer(asked) } }],
          usage: { prompt_tokens: 20, completion_tokens: 2 },
        }));
      }, delay));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeModel(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
