import type { Command } from '@tutti/protocol';
import type { SeededRandom } from '@tutti/testkit/seeded-random';

export const tenants = ['acme', 'rival'] as const;
export type Tenant = (typeof tenants)[number];
export const users = ['ann', 'bob'];
export const names = ['chat:a', 'chat:b', 'live:a', 'personal:ann'];
/** What somebody would try who wants the other's: inner names, other spellings, other types of the same. */
export const hostile = [
  ...['acme*chat:a', 'rival*chat:a', '*chat:a', 'acme:chat:a', 'acme/chat:a', 'chat:a*', '*', 'chat:*'],
  ...['chat:a/../b', 'chat:../acme/a', 'chat:a%2f', 'CHAT:a', 'chat:é', 'chat:e\u0301', 'chat:a\u0000', 'chat::a'],
  ...['', 'x'.repeat(300), '__proto__', 'chat:constructor', '\ud800', 'tutti:stats', 'chat:a ', 'acme\nchat:a'],
];

/** Everything of a tenant carries its mark, and nothing that the other is sent may hold it. */
export function markOf(tenant: string): string {
  return `#${tenant}#`;
}

/** A user whom this tenant alone has, by a name that tells nobody so. */
export function onlyOf(tenant: Tenant): string {
  return tenant === 'acme' ? 'carla' : 'dora';
}

/** Of what a command is made. */
export interface Vocabulary {
  readonly channels: readonly string[];
  /** A subscription token, good or bad. */
  readonly grant: (channel: string) => string;
}

export function randomChannel(random: SeededRandom, channels: readonly string[]): string {
  return random.next() < 0.75 ? pick(random, channels) : pick(random, hostile);
}

export function randomCommand(random: SeededRandom, tenant: Tenant, { channels, grant }: Vocabulary): Command {
  const channel = randomChannel(random, channels);
  const data = Buffer.from(JSON.stringify(`${markOf(tenant)}${below(random, 1_000)}`));
  const offset = below(random, 30);
  const makers: (() => Command)[] = [
    () => ({ subscribe: { channel } }),
    () => ({ subscribe: { channel, recover: true, offset, epoch: '' } }),
    () => ({ subscribe: { channel, token: grant(channel) } }),
    () => ({ unsubscribe: { channel } }),
    () => ({ publish: { channel, data } }),
    () => ({ publish: { channel, data, idempotency_key: `k${below(random, 3)}` } }),
    () => ({ publish: { channel, data, expected_offset: offset } }),
    () => ({ presence: { channel } }),
    () => ({ presence_stats: { channel } }),
    () => ({ history: { channel, limit: 50, reverse: random.next() < 0.5 } }),
    () => ({ history: { channel, limit: 5, since: { offset, epoch: '' } } }),
    () => ({ sub_refresh: { channel, token: grant(channel) } }),
  ];
  return pick(random, makers)();
}

export function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[below(random, from.length)] as T;
}

export function below(random: SeededRandom, bound: number): number {
  return Math.floor(random.next() * bound);
}
