import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Authenticator } from '@tutti/server/internal';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode, nameIsToken, type CoreNodeOptions } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';

const data = Buffer.from('1');

class Scene {
  readonly clock = new VirtualClock();
  core!: CoreNode;

  static async open(options: CoreNodeOptions = {}): Promise<Scene> {
    const scene = new Scene();
    scene.core = await CoreNode.start({ clock: scene.clock, ...options });
    return scene;
  }

  async connect(token: string, ...channels: string[]): Promise<MemoryConnection> {
    const link = this.core.connect(token);
    for (const channel of channels) link.command({ subscribe: { channel } });
    await this.clock.advanceAsync(0);
    return link;
  }

  async ask(link: MemoryConnection, command: Parameters<MemoryConnection['command']>[0]): Promise<unknown> {
    const [id] = link.command(command);
    await this.clock.advanceAsync(50);
    const reply = link.replyTo(id);
    return reply?.error?.code ?? reply;
  }
}

test('S11: the same name is another channel for another tenant, and everybody hears their own name for it', async () => {
  const scene = await Scene.open();
  const [acme, rival, nobody] = await Promise.all(
    ['ann@acme', 'ann@rival', 'ann'].map((token) => scene.connect(token, 'chat:a')),
  );
  await scene.ask(acme!, { publish: { channel: 'chat:a', data } });
  await scene.ask(acme!, { publish: { channel: 'chat:a', data } });
  await scene.ask(nobody!, { publish: { channel: 'chat:a', data } });
  assert.deepEqual(acme!.offsets('chat:a'), [1, 2]);
  assert.deepEqual(rival!.offsets('chat:a'), []);
  assert.deepEqual(nobody!.offsets('chat:a'), [1]);
  const joined = (link: MemoryConnection): unknown[] =>
    link.pushes('chat:a').flatMap(({ join }) => join?.info.user ?? []);
  assert.deepEqual(
    [acme, rival, nobody].map((link) => joined(link!)),
    [['ann'], ['ann'], ['ann']],
  );
  for (const link of [acme, rival, nobody]) {
    for (const { push } of link!.replies) assert.ok(push === undefined || push.channel === 'chat:a');
    const { presence_stats: stats } = (await scene.ask(link!, { presence_stats: { channel: 'chat:a' } })) as {
      presence_stats: unknown;
    };
    assert.deepEqual(stats, { num_clients: 1, num_users: 1 });
  }
  const { history } = (await scene.ask(rival!, { history: { channel: 'chat:a', limit: 10 } })) as {
    history: { publications?: unknown[] };
  };
  assert.deepEqual(history.publications ?? [], []);
});

test("S11: the inner name of another tenant's channel is no name, with any command", async () => {
  const scene = await Scene.open();
  await scene.connect('ann@acme', 'chat:a');
  const rival = await scene.connect('ann@rival');
  for (const channel of ['acme*chat:a', '*chat:a', 'rival*chat:a', 'acme*chat:a*']) {
    const commands = [
      { subscribe: { channel } },
      { unsubscribe: { channel } },
      { publish: { channel, data } },
      { presence: { channel } },
      { presence_stats: { channel } },
      { history: { channel } },
      { sub_refresh: { channel, token: 't' } },
    ];
    for (const command of commands) assert.equal(await scene.ask(rival, command), 107, JSON.stringify(command));
  }
});

test('S11: what the server gives (channels of a token, personal ones) lies within the tenant, recovered too', async () => {
  const giving: Authenticator = {
    ...nameIsToken,
    connect: async (attempt) => ({ ...(await nameIsToken.connect(attempt)), channels: ['chat:a'] }),
  };
  const scene = await Scene.open({
    authenticator: giving,
    namespaces: { chat: { historySize: 10 }, personal: { historySize: 10, allowSubscribe: 'nobody' } },
  });
  const first = await scene.connect('ann@acme');
  const subs = first.replies[0]?.connect?.subs ?? {};
  assert.deepEqual(Object.keys(subs).sort(), ['chat:a', 'personal:ann']);
  const { epoch = '' } = subs['chat:a'] ?? {};
  first.drop();
  await scene.core.node.publish('chat:a', { data }, {}, 'acme');
  await scene.core.node.publish('chat:a', { data }, {}, 'rival');
  await scene.core.node.publish('personal:ann', { data }, {}, 'rival');
  const back = scene.core.link();
  back.command({ connect: { token: 'ann@acme', subs: { 'chat:a': { recover: true, epoch, offset: 0 } } } });
  await scene.clock.advanceAsync(0);
  const result = back.replies[0]?.connect?.subs ?? {};
  assert.equal(result['chat:a']?.publications?.length, 1);
  assert.equal(result['personal:ann']?.offset, 0);
});

test('S11: the application steers users and sees channels of the tenant it names, and no other', async () => {
  const scene = await Scene.open();
  const acme = await scene.connect('ann@acme', 'chat:a', 'chat:b');
  const rival = await scene.connect('ann@rival', 'chat:a');
  const nobody = await scene.connect('ann', 'live:c');
  const { directory } = scene.core.node;
  const page = { after: '', limit: 10 };
  const names = (tenant: string): string[] => directory.channels(page, () => true, tenant).items.map(([name]) => name);
  assert.deepEqual([names('acme'), names('rival'), names('')], [['chat:a', 'chat:b'], ['chat:a'], ['live:c']]);
  const after = directory.channels({ after: 'chat:a', limit: 10 }, () => true, 'acme').items.map(([name]) => name);
  assert.deepEqual(after, ['chat:b']);
  assert.equal(directory.connections(page, { tenant: 'acme', user: 'ann' }).items.length, 1);
  assert.equal(directory.users, 3);
  assert.equal(directory.unsubscribe({ tenant: 'rival', user: 'ann' }, 'chat:a'), 1);
  await scene.clock.advanceAsync(50);
  assert.equal(rival.pushes('chat:a').at(-1)?.unsubscribe?.code, 2000);
  await directory.subscribe({ tenant: 'rival', user: 'ann' }, 'live:x', {});
  await scene.clock.advanceAsync(50);
  assert.equal(rival.pushes('live:x').length, 1);
  assert.equal(acme.pushes('live:x').length, 0);
  assert.equal(directory.disconnect({ tenant: 'acme', client: rival.replies[0]?.connect?.client ?? '' }), 0);
  assert.equal(directory.disconnect({ tenant: 'acme', user: 'ann' }), 1);
  assert.deepEqual(
    [acme, rival, nobody].map(({ closedWith }) => closedWith?.code),
    [3503, undefined, undefined],
  );
});

test('S11: an rpc method learns the tenant', async () => {
  const seen: unknown[] = [];
  const scene = await Scene.open({ rpc: { who: (_data, { user, tenant }) => void seen.push([user, tenant]) } });
  for (const token of ['ann@acme', 'ann']) await scene.ask(await scene.connect(token), { rpc: { method: 'who' } });
  assert.deepEqual(seen, [
    ['ann', 'acme'],
    ['ann', undefined],
  ]);
});
