import { Tutti, type PublishResult } from '@tutti/client';
import type { SpawnedNode } from '@tutti/testkit/spawn-node';
import { Centrifuge, State, type PublicationContext } from 'centrifuge';
import type { Proof } from './proof.ts';
import { until } from './waiting.ts';

const settleMsMax = 30_000;

/** Where clients come in: a node, or what stands before several. */
export type Door = Pick<SpawnedNode, 'wsUrl' | 'token' | 'subscriptionToken'>;

/** What one client saw, in the order in which it saw it. */
export interface Seen {
  readonly who: string;
  readonly positions: { offset: number; text: string }[];
  /** Times it was told that something is missing. */
  gaps: number;
  /** When a connection of it ended, milliseconds of the process's clock. */
  readonly lostAtMs: number[];
}

/** A publication that was acknowledged. */
export interface Acknowledged {
  readonly text: string;
  readonly offset: number;
  readonly epoch: string;
}

export async function officialClient(door: Door, channel: string, closers: (() => void)[]): Promise<Seen> {
  const seen: Seen = { who: 'official SDK', positions: [], gaps: 0, lostAtMs: [] };
  const centrifuge = new Centrifuge(door.wsUrl, {
    token: await door.token({ user: 'ann' }),
    minReconnectDelay: 50,
    maxReconnectDelay: 500,
  });
  const subscription = centrifuge.newSubscription(channel, {
    token: await door.subscriptionToken({ user: 'ann', channel }),
  });
  subscription.on('publication', (publication: PublicationContext) => {
    seen.positions.push({ offset: publication.offset ?? 0, text: (publication.data as { text: string }).text });
  });
  subscription.on('subscribed', (context) => {
    if (context.wasRecovering && !context.recovered) seen.gaps += 1;
  });
  centrifuge.on('state', ({ oldState }) => {
    if (oldState === State.Connected) seen.lostAtMs.push(performance.now());
  });
  closers.push(() => {
    centrifuge.disconnect();
  });
  subscription.subscribe();
  centrifuge.connect();
  await subscription.ready(10_000);
  return seen;
}

export async function ownClient(door: Door, channel: string, closers: (() => void)[]): Promise<Seen> {
  const seen: Seen = { who: 'our SDK', positions: [], gaps: 0, lostAtMs: [] };
  const tutti = new Tutti(door.wsUrl, {
    token: await door.token({ user: 'bob' }),
    reconnectMinMs: 50,
    reconnectMaxMs: 500,
  });
  closers.push(() => {
    tutti.close();
  });
  tutti.on('state', ({ from }) => {
    if (from === 'connected') seen.lostAtMs.push(performance.now());
  });
  const token = await door.subscriptionToken({ user: 'bob', channel });
  const subscription = tutti.subscribe<{ text: string }>(channel, { token });
  subscription.on('publication', (publication) => {
    seen.positions.push({ offset: publication.offset ?? 0, text: publication.data.text });
  });
  subscription.on('gap', () => {
    seen.gaps += 1;
  });
  await subscription.ready();
  return seen;
}

export interface Publisher {
  readonly acknowledged: Acknowledged[];
  readonly unknown: string[];
  readonly duplicates: () => number;
  stop(): Promise<void>;
}

/** Publishes all the time; the SDK repeats what an end left unanswered, with the same idempotency key. */
export async function startPublisher(
  door: Door,
  channel: string,
  everyMs: number,
  closers: (() => void)[],
): Promise<Publisher> {
  const tutti = new Tutti(door.wsUrl, {
    token: await door.token({ user: 'carl' }),
    reconnectMinMs: 50,
    reconnectMaxMs: 500,
    timeoutMs: 30_000,
  });
  closers.push(() => {
    tutti.close();
  });
  const acknowledged: Acknowledged[] = [];
  const unknown: string[] = [];
  let duplicates = 0;
  const waiting = new Set<Promise<void>>();
  let count = 0;
  const publish = (): void => {
    count += 1;
    const text = `message ${count}`;
    const sent = tutti.publish(channel, { text }).then(
      (result: PublishResult) => {
        if (result.duplicate === true) duplicates += 1;
        acknowledged.push({ text, offset: result.offset ?? 0, epoch: result.epoch ?? '' });
      },
      () => {
        unknown.push(text);
      },
    );
    waiting.add(sent);
    void sent.then(() => waiting.delete(sent));
  };
  const timer = setInterval(publish, everyMs);
  const stop = async (): Promise<void> => {
    clearInterval(timer);
    await Promise.all(waiting);
  };
  closers.push(() => {
    clearInterval(timer);
  });
  return { acknowledged, unknown, duplicates: () => duplicates, stop };
}

/** Waits until every client has seen the last that was acknowledged. */
export async function settle(
  clients: readonly Seen[],
  acknowledged: readonly Acknowledged[],
  say: (line: string) => void,
): Promise<void> {
  const last = Math.max(...acknowledged.map((publication) => publication.offset));
  const all = (): boolean => clients.every((client) => (client.positions.at(-1)?.offset ?? 0) >= last);
  if (!(await until(all, settleMsMax))) say(`not every client reached offset ${last} within ${settleMsMax} ms`);
}

/** DEL-1, DEL-2, DEL-3, DEL-5, DEL-6, from outside. */
export function judgeOnlookers(
  clients: readonly Seen[],
  publisher: Publisher,
  settings: Readonly<Record<string, unknown>>,
): Awaited<ReturnType<Proof['run']>> {
  const broken: string[] = [];
  const { acknowledged, unknown } = publisher;
  const byOffset = new Map(acknowledged.map((publication) => [publication.offset, publication.text]));
  if (byOffset.size !== acknowledged.length) broken.push('two acknowledged publications have the same offset (DEL-3)');
  const epochs = new Set(acknowledged.map((publication) => publication.epoch));
  if (epochs.size !== 1) broken.push(`the epoch changed: ${epochs.size} epochs (DEL-3)`);
  if (unknown.length > 0) broken.push(`${unknown.length} publishes were never answered`);
  const perClient = clients.map((client) => judgeClient(client, byOffset, broken));
  return {
    broken,
    figures: {
      ...settings,
      acknowledged: acknowledged.length,
      repeatedByTheSdk: publisher.duplicates(),
      clients: Object.fromEntries(clients.map((client, i) => [client.who, perClient[i]])),
    },
  };
}

function judgeClient(client: Seen, byOffset: ReadonlyMap<number, string>, broken: string[]): Record<string, number> {
  const texts = new Set(client.positions.map((position) => position.text));
  const offsets = client.positions.map((position) => position.offset);
  const lost = [...byOffset.values()].filter((text) => !texts.has(text)).length;
  const duplicates = client.positions.length - texts.size;
  const outOfOrder = offsets.filter((offset, i) => i > 0 && offset <= (offsets[i - 1] ?? 0)).length;
  const holes = offsets.filter((offset, i) => i > 0 && offset > (offsets[i - 1] ?? 0) + 1).length;
  const contradictions = client.positions.filter(({ offset, text }) => (byOffset.get(offset) ?? text) !== text).length;
  const figures = {
    seen: client.positions.length,
    lost,
    duplicates,
    outOfOrder,
    holes,
    contradictions,
    gaps: client.gaps,
  };
  for (const [what, count] of Object.entries(figures)) {
    if (what !== 'seen' && count > 0) broken.push(`${client.who}: ${count} ${what}`);
  }
  return figures;
}
