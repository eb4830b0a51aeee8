import { Tutti } from '@tutti/client';
import type { SpawnedNode } from '@tutti/testkit/spawn-node';
import { Centrifuge } from 'centrifuge';
import { until } from './waiting.ts';

/** A publication, and what its position is called over all epochs. */
export interface Named {
  readonly position: string;
  readonly text: string;
}

/** What one client saw. */
export interface Onlooker {
  readonly who: string;
  readonly seen: Named[];
  /** Times it was told that it may have missed something. */
  told: number;
  /** Of its connection, after the first. */
  connects: number;
  /** Within an epoch, since it was last told: places where offsets did not go on by one. */
  holes: number;
}

/** Follows offsets within an epoch, from what a subscribe or a gap says on. */
class Following {
  readonly #onlooker: Onlooker;
  #epoch = '';
  #offset = 0;
  #subscribedAt = 0;

  constructor(onlooker: Onlooker) {
    this.#onlooker = onlooker;
  }

  /** Where the subscription stands; nothing is missing unless it is told. */
  subscribed(epoch: string, offset: number): void {
    if (this.#epoch === '') this.#offset = offset;
    this.#epoch = epoch;
    this.#subscribedAt = offset;
  }

  /** Told that something is missing before the position of the latest subscribe. */
  told(): void {
    this.#onlooker.told += 1;
    this.#offset = this.#subscribedAt;
  }

  publication(offset: number, text: string): void {
    if (offset !== this.#offset + 1) this.#onlooker.holes += 1;
    this.#offset = offset;
    this.#onlooker.seen.push({ position: `${this.#epoch}/${offset}`, text });
  }
}

function onlooker(who: string): { onlooker: Onlooker; following: Following } {
  const made: Onlooker = { who, seen: [], told: 0, connects: 0, holes: 0 };
  return { onlooker: made, following: new Following(made) };
}

export async function officialOnlooker(node: SpawnedNode, channel: string, closers: (() => void)[]): Promise<Onlooker> {
  const { onlooker: made, following } = onlooker('official SDK');
  const centrifuge = new Centrifuge(node.wsUrl, { token: await node.token({ user: 'ann' }) });
  const token = await node.subscriptionToken({ user: 'ann', channel });
  const subscription = centrifuge.newSubscription(channel, { token });
  subscription.on('subscribed', ({ streamPosition, wasRecovering, recovered }) => {
    following.subscribed(streamPosition?.epoch ?? '', streamPosition?.offset ?? 0);
    if (wasRecovering && !recovered) following.told();
  });
  subscription.on('publication', ({ offset, data }) => {
    following.publication(offset ?? 0, (data as { text: string }).text);
  });
  centrifuge.on('connected', () => (made.connects += 1));
  closers.push(() => centrifuge.disconnect());
  subscription.subscribe();
  centrifuge.connect();
  await subscription.ready(10_000);
  return made;
}

export async function ownOnlooker(node: SpawnedNode, channel: string, closers: (() => void)[]): Promise<Onlooker> {
  const { onlooker: made, following } = onlooker('our SDK');
  const tutti = new Tutti(node.wsUrl, { token: await node.token({ user: 'bob' }) });
  closers.push(() => tutti.close());
  const token = await node.subscriptionToken({ user: 'bob', channel });
  const subscription = tutti.subscribe<{ text: string }>(channel, { token });
  subscription.on('subscribed', ({ position }) => {
    following.subscribed(position?.epoch ?? '', position?.offset ?? 0);
  });
  subscription.on('gap', () => following.told());
  subscription.on('publication', ({ offset, data }) => following.publication(offset ?? 0, data.text));
  tutti.on('connected', () => (made.connects += 1));
  await subscription.ready();
  return made;
}

/** The log as it is in the end, once every onlooker has its last publication. */
export async function settle(
  node: SpawnedNode,
  channel: string,
  onlookers: readonly Onlooker[],
): Promise<ReadonlyMap<string, string>> {
  const tutti = new Tutti(node.wsUrl, { token: await node.token({ user: 'dora' }) });
  try {
    const kept = new Map<string, string>();
    let since: { offset: number; epoch: string } | undefined;
    for (;;) {
      const page = await tutti.history<{ text: string }>(channel, {
        limit: 300,
        ...(since === undefined ? {} : { since }),
      });
      for (const { offset, data } of page.publications) kept.set(`${page.epoch}/${offset}`, data.text);
      const last = page.publications.at(-1)?.offset;
      if (last === undefined) break;
      since = { offset: last, epoch: page.epoch };
    }
    const [lastPosition] = [...kept.keys()].slice(-1);
    await until(() => onlookers.every(({ seen }) => seen.at(-1)?.position === lastPosition), 30_000);
    return kept;
  } finally {
    tutti.close();
  }
}
