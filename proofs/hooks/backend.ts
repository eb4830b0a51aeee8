import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { verifySignature } from '@tutti/api';

/** What the application does when it is asked. `down`: nobody listens on its port. */
export const moods = ['well', 'slow', 'hangs', 'garbage', 'fails', 'down'] as const;
export type Mood = (typeof moods)[number];

const slowMs = 150;

/** A backend with hooks, as good or bad as it is told to be. */
export class Backend {
  requests = 0;
  /** Requests whose signature does not hold. */
  forged = 0;
  readonly #port: number;
  readonly #secret: string;
  #server: Server | undefined;
  #mood: Mood = 'well';

  constructor(port: number, secret: string) {
    this.#port = port;
    this.#secret = secret;
  }

  async become(mood: Mood): Promise<void> {
    this.#mood = mood;
    if (mood === 'down') await this.close();
    else if (this.#server === undefined) await this.#listen();
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  async #listen(): Promise<void> {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        void this.#answer(request, Buffer.concat(chunks), response);
      });
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async #answer({ headers }: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const header = String(headers['tutti-signature']);
    if (!(await verifySignature({ secret: this.#secret, header, body }))) this.forged += 1;
    switch (this.#mood) {
      case 'well':
        response.end('{"result":{"user":"guest","data":{"ok":true}}}');
        return;
      case 'slow':
        setTimeout(() => response.end('{"result":{"user":"guest"}}'), slowMs);
        return;
      case 'garbage':
        response.end('<html>It works!</html>');
        return;
      case 'fails':
        response.writeHead(500).end('{"result":{"user":"guest"}}');
        return;
      case 'hangs':
      case 'down':
        return;
    }
  }
}
