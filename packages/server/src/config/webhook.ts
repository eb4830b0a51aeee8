/** What a webhook may be told; each is one of `NodeObserver`. */
export const webhookEventNames = [
  'connected',
  'disconnected',
  'subscribed',
  'unsubscribed',
  'occupied',
  'vacated',
  'published',
] as const;

export type WebhookEventName = (typeof webhookEventNames)[number];

/** One receiver of what happens on a node. */
export interface Webhook {
  /** Its folder in the data folder, and its label in metrics. */
  readonly name: string;
  readonly url: string;
  /** Each signs every request; two while one takes over from the other. */
  readonly secrets: readonly string[];
  readonly events: readonly WebhookEventName[];
  /** Of events that have a channel: only those of these namespaces. Absent: all but the node's own, `tutti`. */
  readonly namespaces?: readonly string[];
  /** Most events in one request. */
  readonly batchMax: number;
  /** How long an event waits for others to go with it. */
  readonly batchDelayMs: number;
}

export const webhooksMax = 16;
export const webhookDefaults = { batchMax: 100, batchDelayMs: 250 } as const;
const webhookBounds = { batchMax: 1_000, batchDelayMs: 60_000 } as const;
const namePattern = /^[a-z0-9][a-z0-9_-]{0,31}$/;
const secretBytesMin = 32;

/** What is wrong with a webhook, and what to do; undefined where nothing is. Never says a secret. */
export function webhookProblem(webhook: Webhook): string | undefined {
  const { name, secrets, events, batchMax, batchDelayMs } = webhook;
  if (!namePattern.test(name)) return 'name must be 1 to 32 of the characters a-z 0-9 _ -';
  if (secrets.length === 0 || secrets.length > 2) return 'needs a secret, or two while one takes over from the other';
  if (secrets.some((secret) => Buffer.byteLength(secret) < secretBytesMin)) {
    return `secret needs ${secretBytesMin} bytes or more: make one with \`openssl rand -hex 32\``;
  }
  if (events.length === 0) return `events must name what it is told: ${webhookEventNames.join(', ')}, or "*"`;
  if (!isWithin(batchMax, 1, webhookBounds.batchMax)) return `batchMax must be from 1 to ${webhookBounds.batchMax}`;
  if (!isWithin(batchDelayMs, 0, webhookBounds.batchDelayMs)) return 'batchDelay must be from 0 to 60s';
  return webhookUrlProblem(webhook.url);
}

function webhookUrlProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return 'url must be like https://app.example.com/tutti';
  // Whoever reads logs and settings would read it.
  if (url.username !== '' || url.password !== '')
    return 'url must hold no user and password: the signature says who asks';
  return undefined;
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
