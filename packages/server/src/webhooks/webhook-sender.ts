import type { Webhook } from '../config/webhook.ts';
import type { Clock } from '../core/clock.ts';
import { signatureHeader, signRequest } from '../runtime/sign-request.ts';
import { bodyOf } from './event-line.ts';
import { WebhookClient, type Outcome, type Resolve, type WebhookClientOptions } from './webhook-client.ts';

export interface WebhookSenderSeams {
  readonly clock: Clock;
  readonly version: string;
  readonly resolve?: Resolve;
}

/** Makes signed requests to one webhook. */
export class WebhookSender {
  readonly #webhook: Pick<Webhook, 'url' | 'secrets'>;
  readonly #client: WebhookClient;
  readonly #clock: Clock;
  readonly #userAgent: string;

  constructor(
    webhook: Pick<Webhook, 'url' | 'secrets'>,
    options: WebhookClientOptions,
    { clock, version, resolve }: WebhookSenderSeams,
  ) {
    this.#webhook = webhook;
    this.#client = new WebhookClient(webhook.url, options, clock, resolve);
    this.#clock = clock;
    this.#userAgent = `tutti/${version}`;
  }

  /** Never rejects. */
  send(lines: readonly Uint8Array[]): Promise<Outcome> {
    const body = bodyOf(lines);
    // At each attempt anew: the receiver refuses what was signed too long ago.
    const signature = signRequest(body, this.#webhook.secrets, this.#clock.now() / 1_000);
    const headers = {
      'content-type': 'application/json',
      'user-agent': this.#userAgent,
      [signatureHeader]: signature,
    };
    return this.#client.post(body, headers);
  }

  close(): void {
    this.#client.close();
  }
}
