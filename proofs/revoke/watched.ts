import { connectClient, type ConnectedClient } from '@tutti/testkit/connect-client';
import type { SpawnedNode } from '@tutti/testkit/spawn-node';

export const apiKey = 'the-key-of-a-proof-that-may-do-all';
export const channel = 'news:x';

export const subjects = ['user', 'token', 'session'] as const;
export type Subject = (typeof subjects)[number];

/** A connection that follows the channel. Times are milliseconds of this process; 0: none yet. */
export interface Watched {
  readonly client: ConnectedClient;
  lastAtMs: number;
  received: number;
  /** When it was closed for good. */
  endedAtMs: number;
}

export async function watch(node: SpawnedNode, user: string, token: string): Promise<Watched> {
  const client = await connectClient(node, { user, token });
  const watched: Watched = { client, lastAtMs: 0, received: 0, endedAtMs: 0 };
  const subscription = client.tutti.subscribe(channel);
  subscription.on('publication', () => {
    watched.lastAtMs = performance.now();
    watched.received += 1;
  });
  subscription.on('error', () => undefined);
  client.tutti.on('error', () => undefined);
  client.tutti.on('state', ({ to }) => {
    if (to === 'disconnected') watched.endedAtMs = performance.now();
  });
  return watched;
}

export function countOf(watched: readonly Watched[]): number {
  return watched.reduce((sum, { received }) => sum + received, 0);
}

/** Publishes all the time, until the function that is returned is called. */
export function publishing(publish: () => Promise<unknown>, rate: number): () => void {
  const timer = setInterval(() => void publish().catch(() => undefined), 1_000 / rate);
  return () => clearInterval(timer);
}
