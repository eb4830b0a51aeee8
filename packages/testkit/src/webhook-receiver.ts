import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from './eventually.ts';

/** One event, as a receiver sees it. */
export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface ReceivedRequest {
  readonly events: readonly ReceivedEvent[];
  /** The signature is of this receiver's secret, of this body, and of now. */
  readonly isSigned: boolean;
  readonly headers: IncomingMessage['headers'];
}

/** Answers a request; the default answers 204. */
export type Answer = (request: ReceivedRequest, response: ServerResponse) => void;

const signatureAgeMaxSeconds = 300;

/** A server of an application that takes webhooks, on a free port of this machine. */
export class WebhookReceiver {
  readonly url: string;
  readonly secret: string;
  /** Everything that was asked, also what was answered with an error. */
  readonly requests: ReceivedRequest[] = [];
  answer: Answer = (_, response) => {
    response.writeHead(204).end();
  };
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>, secret: string) {
    this.#server = server;
    this.secret = secret;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tutti`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void this.#take(request, response);
    });
  }

  static async start(secret = 'a webhook secret of at least 32 bytes', port = 0): Promise<WebhookReceiver> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new WebhookReceiver(server, secret);
  }

  /** Events in the order in which they came; those that came twice are here twice. */
  get events(): ReceivedEvent[] {
    return this.requests.flatMap(({ events }) => events);
  }

  /** Waits until so many events have come. */
  async received(count: number): Promise<ReceivedEvent[]> {
    await eventually(() => this.events.length >= count, {
      what: `${count} events, of which ${this.events.length} came`,
    });
    return this.events;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks);
    const { events } = JSON.parse(body.toString()) as { events: ReceivedEvent[] };
    const isSigned = this.#isSigned(String(request.headers['tutti-signature']), body);
    const received = { events, isSigned, headers: request.headers };
    this.requests.push(received);
    this.answer(received, response);
  }

  /** Written anew from the guide, not with the code that signs. */
  #isSigned(header: string, body: Buffer): boolean {
    const [, t = '', v1 = ''] = /^t=(\d+),v1=([0-9a-f]{64})/.exec(header) ?? [];
    const expected = createHmac('sha256', this.secret).update(`${t}.${body.toString()}`).digest('hex');
    return v1 === expected && Math.abs(Date.now() / 1_000 - Number(t)) < signatureAgeMaxSeconds;
  }
}
