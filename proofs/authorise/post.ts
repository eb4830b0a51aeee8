import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** A request of JSON over connections that are used again; one that the server had just closed is no answer, and tried anew. */
export function post(url: string, value: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = { 'Content-Type': 'application/json', ...headers };
    const asked = request(url, { method: 'POST', agent, headers: sent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      response.on('error', reject);
    });
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (asked.reusedSocket && error.code === 'ECONNRESET') resolve(post(url, value, headers));
      else reject(error);
    });
    asked.end(JSON.stringify(value));
  });
}
