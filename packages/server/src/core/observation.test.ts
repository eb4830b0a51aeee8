import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disconnects } from '@tutti/protocol';
import type { NodeObserver, SessionFacts } from '@tutti/server/internal';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode, type CoreNodeOptions } from '@tutti/testkit/core-node';
import { MemoryConnection } from '@tutti/testkit/memory-connection';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Writes down what it is told, one line each. */
class Notes implements NodeObserver {
  readonly lines: string[] = [];
  readonly facts: SessionFacts[] = [];
  readonly #published: string[];

  constructor(published: string[] = []) {
    this.#published = published;
  }

  connected(session: SessionFacts): void {
    this.facts.push(session);
    this.lines.push(`connected ${session.user}`);
  }

  disconnected(session: SessionFacts, ending: { code: number; reason: string; byPeer: boolean }): void {
    this.facts.push(session);
    this.lines.push(`disconnected ${session.user} ${ending.code} ${ending.byPeer ? 'by peer' : ending.reason}`);
  }

  subscribed(session: SessionFacts, channel: string): void {
    this.lines.push(`subscribed ${session.user} ${channel}`);
  }

  unsubscribed(session: SessionFacts, channel: string, { code }: { code: number }): void {
    this.lines.push(`unsubscribed ${session.user} ${channel} ${code}`);
  }

  occupied(channel: string): void {
    this.lines.push(`occupied ${channel}`);
  }

  vacated(channel: string): void {
    this.lines.push(`vacated ${channel}`);
  }

  observesPublished(namespace: string): boolean {
    return this.#published.includes(namespace);
  }

  published(...[channel, { data, key }, position]: Parameters<NonNullable<NodeObserver['published']>>): void {
    const text = new TextDecoder().decode(data);
    this.lines.push(`published ${channel} ${text} ${key ?? '-'} ${position?.offset ?? 'no position'}`);
  }
}

async function arrange(
  notes: NodeObserver,
  options: CoreNodeOptions = {},
): Promise<{ core: CoreNode; clock: VirtualClock; settled: () => Promise<void> }> {
  const clock = new VirtualClock();
  const core = await CoreNode.start({ clock, observers: [notes], ...options });
  return { core, clock, settled: () => clock.advanceAsync(0) };
}

test('a session is told of from its connect to its end, its subscriptions within, channels around them', async () => {
  const notes = new Notes();
  const { core, settled } = await arrange(notes);
  const ann = core.connect('ann');
  const bob = core.connect('bob');
  await settled();
  ann.command({ subscribe: { channel: 'chat:a' } });
  await settled();
  ann.command({ subscribe: { channel: 'live:b' } });
  await settled();
  bob.command({ subscribe: { channel: 'chat:a' } });
  await settled();
  ann.command({ unsubscribe: { channel: 'chat:a' } }, { unsubscribe: { channel: 'chat:a' } });
  await settled();
  ann.drop();
  bob.drop();
  bob.drop();
  assert.deepEqual(notes.lines, [
    'connected ann',
    'connected bob',
    ...['occupied chat:a', 'subscribed ann chat:a'],
    ...['occupied live:b', 'subscribed ann live:b'],
    'subscribed bob chat:a',
    'unsubscribed ann chat:a 0',
    ...['unsubscribed ann live:b 1', 'vacated live:b', 'disconnected ann 1006 by peer'],
    ...['unsubscribed bob chat:a 1', 'vacated chat:a', 'disconnected bob 1006 by peer'],
  ]);
});

test('what the server subscribes with the connect is told after the connect', async () => {
  const notes = new Notes();
  const { core, settled } = await arrange(notes, { namespaces: { personal: {} } });
  core.connect('ann');
  await settled();
  assert.deepEqual(notes.lines, ['connected ann', 'occupied personal:ann', 'subscribed ann personal:ann']);
});

test('the server ends subscriptions and connections with its own codes', async () => {
  const notes = new Notes();
  const { core, settled } = await arrange(notes);
  const ann = core.connect('ann');
  await settled();
  ann.command({ subscribe: { channel: 'chat:a' } });
  await settled();
  core.node.directory.unsubscribe({ user: 'ann' }, 'chat:a');
  core.node.directory.disconnect({ user: 'ann' }, disconnects.forceReconnect);
  assert.deepEqual(notes.lines.slice(3), [
    ...['unsubscribed ann chat:a 2000', 'vacated chat:a'],
    'disconnected ann 3011 force reconnect',
  ]);
});

test('who was never let in is never told of, nor is a subscription that was refused or not answered', async () => {
  const notes = new Notes();
  const { core, settled } = await arrange(notes);
  const stranger = core.link();
  core.connect('bad');
  const ann = core.connect('ann');
  await settled();
  ann.command({ subscribe: { channel: 'nowhere:a' } }, { subscribe: { channel: 'chat:a' } });
  // The subscribe is under way: it was not answered yet.
  ann.drop();
  stranger.drop();
  await settled();
  assert.deepEqual(notes.lines, ['connected ann', 'disconnected ann 1006 by peer']);
});

test('published is told once for each publication, where the namespace was asked for, with its position', async () => {
  const notes = new Notes(['chat', 'live']);
  const namespaces = { chat: { historySize: 10 }, live: {}, quiet: { historySize: 10 } };
  const { core, settled } = await arrange(notes, { namespaces });
  const ann = core.connect('ann');
  await settled();
  const once = { idempotency_key: 'k' };
  ann.command(
    { publish: { channel: 'chat:a', data: bytes('1'), key: 'x', ...once } },
    { publish: { channel: 'chat:a', data: bytes('1'), key: 'x', ...once } },
    { publish: { channel: 'quiet:a', data: bytes('2') } },
  );
  await core.node.publish('live:b', { data: bytes('3') });
  await settled();
  assert.deepEqual(notes.lines.slice(1).sort(), ['published chat:a 1 x 1', 'published live:b 3 - no position']);
});

test('facts say who, how and from where, and how far the peer lagged', async () => {
  const notes = new Notes();
  const { core, settled } = await arrange(notes);
  const peer = core.connect('ann', new MemoryConnection());
  await settled();
  peer.command({ subscribe: { channel: 'live:b' } });
  await settled();
  peer.stalled = true;
  await core.node.publish('live:b', { data: bytes('"0123456789"') });
  await settled();
  core.node.directory.disconnect({ user: 'ann' });
  const [first, last] = notes.facts;
  assert.match(first?.client ?? '', /\S/);
  assert.deepEqual(
    [first?.user, first?.transport, first?.codec, first?.remoteAddress],
    ['ann', 'memory', 'json', '127.0.0.1'],
  );
  assert.equal(last?.client, first?.client);
  assert.ok((last?.lagBytes ?? 0) > 12, 'lag as it was before the end');
});

test('an observer that throws is counted as a bug, and neither the session nor other observers notice', async () => {
  const notes = new Notes();
  const broken: NodeObserver = {
    connected: () => {
      throw new Error('mine');
    },
  };
  const { core, settled } = await arrange(notes, { observers: [broken, notes] });
  const ann = core.connect('ann');
  await settled();
  assert.equal(ann.closedWith, undefined);
  assert.deepEqual(notes.lines, ['connected ann']);
  assert.equal(core.counters.snapshot().bugs, 1);
});
