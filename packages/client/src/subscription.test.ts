import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Gap } from './progress.ts';
import type { Subscription } from './subscription.ts';
import { momentMs, setConnectedScene, setScene, type Scene } from './testing/scene.ts';
import { TuttiError } from './tutti-error.ts';

interface Seen {
  room: Subscription<string>;
  log: string[];
  gaps: Gap[];
}

function follow({ tutti }: Scene, options: Parameters<typeof tutti.subscribe>[1] = {}): Seen {
  const room = tutti.subscribe<string>('room', options);
  const log: string[] = [];
  const gaps: Gap[] = [];
  room.on('state', ({ to, code }) => log.push(`${to} ${code}`));
  room.on('subscribed', ({ recovered }) => log.push(recovered ? 'recovered' : 'fresh'));
  room.on('publication', ({ data, offset }) => log.push(`${data}@${offset ?? '-'}`));
  room.on('gap', (gap) => {
    gaps.push(gap);
    log.push('gap');
  });
  room.on('error', ({ code }) => log.push(`error ${code}`));
  return { room, log, gaps };
}

const pub = (offset: number, extra: object = {}): object => ({ data: `p${offset}`, offset, ...extra });

function push({ server }: Scene, ...pubs: object[]): void {
  server.socket.reply(...pubs.map((one) => ({ push: { channel: 'room', pub: one as { data: unknown } } })));
}

test('DEL-1: a repeat and a lower offset are dropped; nothing is shown twice or out of order', async () => {
  const scene = await setConnectedScene();
  const { log, room } = follow(scene);
  await scene.pass(momentMs);
  push(scene, pub(1), pub(2), pub(2), pub(1), pub(3));
  assert.deepEqual(log.splice(0), ['subscribed 0', 'fresh', 'p1@1', 'p2@2', 'p3@3']);
  assert.deepEqual(room.position, { offset: 3, epoch: 'e' });
  scene.tutti.close();
});

test('DEL-2: a hole among live publications is never shown: unsubscribe, then recover from before it', async () => {
  const scene = await setConnectedScene();
  const { log } = follow(scene);
  await scene.pass(momentMs);
  log.length = 0;
  scene.server.answers.subscribe = ({ subscribe }) => ({
    subscribe: {
      recoverable: true,
      positioned: true,
      epoch: 'e',
      offset: subscribe?.offset ?? 0,
      recovered: true,
      publications: [pub(2), pub(3), pub(4)] as never,
    },
  });
  push(scene, pub(1), pub(3), pub(4));
  assert.deepEqual(log.splice(0), ['p1@1', 'subscribing 2500']);
  push(scene, pub(5));
  await scene.pass(600);
  assert.deepEqual(log.splice(0), ['subscribed 0', 'recovered', 'p2@2', 'p3@3', 'p4@4']);
  const verbs = scene.server.socket.commands.slice(2).map((command) => Object.keys(command)[1]);
  assert.deepEqual(verbs, ['unsubscribe', 'subscribe']);
  assert.equal(scene.server.socket.commands.at(-1)?.subscribe?.offset, 1);
  push(scene, pub(5));
  assert.deepEqual(log, ['p5@5']);
  scene.tutti.close();
});

test('BP-3: a publication that says it skipped may jump; one of another epoch may not', async () => {
  const scene = await setConnectedScene();
  const { log } = follow(scene);
  await scene.pass(momentMs);
  log.length = 0;
  push(scene, pub(1), pub(5, { skipped: 3 }), pub(6, { epoch: 'f' }));
  assert.deepEqual(log, ['p1@1', 'p5@5', 'subscribing 2500']);
  scene.tutti.close();
});

test('a channel without positions: everything is delivered, and each return tells a gap', async () => {
  const scene = await setConnectedScene({}, (script) => (script.answers.subscribe = () => ({ subscribe: {} })));
  const { log, gaps, room } = follow(scene);
  await scene.pass(momentMs);
  push(scene, { data: 'a' }, { data: 'b' }, { data: 'b' });
  assert.deepEqual(log.splice(0), ['subscribed 0', 'fresh', 'a@-', 'b@-', 'b@-']);
  assert.equal(room.position, undefined);
  scene.server.socket.end(3000);
  await scene.pass(600);
  assert.deepEqual(log, ['subscribing 1', 'subscribed 0', 'fresh', 'gap']);
  assert.deepEqual(gaps, [{ channel: 'room', from: undefined, to: undefined, missed: undefined, reload: 'state' }]);
  scene.tutti.close();
});

test('DEL-9: recovery after a cut: the missed ones first, then those that follow as pushes, then live', async () => {
  const scene = await setConnectedScene();
  const { log, gaps } = follow(scene);
  await scene.pass(momentMs);
  push(scene, pub(1));
  log.length = 0;
  scene.server.answers.subscribe = () => ({
    subscribe: {
      recoverable: true,
      positioned: true,
      epoch: 'e',
      offset: 1,
      recovered: true,
      was_recovering: true,
      publications: [pub(2), pub(3)] as never,
    },
  });
  scene.server.socket.end(1006);
  await scene.pass(600);
  push(scene, pub(4), pub(5));
  assert.deepEqual(log, ['subscribing 1', 'subscribed 0', 'recovered', 'p2@2', 'p3@3', 'p4@4', 'p5@5']);
  assert.deepEqual(gaps, []);
  scene.tutti.close();
});

test('DEL-9: what cannot be recovered is told: the same log, too far back → history', async () => {
  const scene = await setConnectedScene();
  const { log, gaps } = follow(scene);
  await scene.pass(momentMs);
  push(scene, pub(1), pub(2));
  log.length = 0;
  scene.server.answers.subscribe = () => ({
    subscribe: { recoverable: true, positioned: true, epoch: 'e', offset: 900, recovered: false, was_recovering: true },
  });
  scene.server.socket.end(1006);
  await scene.pass(600);
  push(scene, pub(901));
  assert.deepEqual(log, ['subscribing 1', 'subscribed 0', 'fresh', 'gap', 'p901@901']);
  assert.deepEqual(gaps, [
    {
      channel: 'room',
      from: { offset: 2, epoch: 'e' },
      to: { offset: 900, epoch: 'e' },
      missed: 898,
      reload: 'history',
    },
  ]);
  scene.tutti.close();
});

test('DEL-9: another epoch → state; the same position → no gap', async () => {
  const scene = await setConnectedScene();
  const { gaps } = follow(scene);
  await scene.pass(momentMs);
  for (const [epoch, offset] of [
    ['e', 0],
    ['f', 7],
  ] as const) {
    scene.server.answers.subscribe = () => ({
      subscribe: { recoverable: true, positioned: true, epoch, offset, recovered: false },
    });
    scene.server.socket.end(1006);
    await scene.pass(1_100);
  }
  assert.deepEqual(gaps, [
    {
      channel: 'room',
      from: { offset: 0, epoch: 'e' },
      to: { offset: 7, epoch: 'f' },
      missed: undefined,
      reload: 'state',
    },
  ]);
  scene.tutti.close();
});

test('`since` starts from a position the application kept; a gap there is told as well', async () => {
  const scene = await setConnectedScene({}, (script) => {
    script.answers.subscribe = () => ({
      subscribe: { recoverable: true, epoch: 'e', offset: 9, recovered: false, was_recovering: true },
    });
  });
  const { gaps } = follow(scene, { since: { offset: 3, epoch: 'e' } });
  await scene.pass(momentMs);
  const { recover, offset, epoch } = scene.server.socket.commands[1]?.subscribe ?? {};
  assert.deepEqual({ recover, offset, epoch }, { recover: true, offset: 3, epoch: 'e' });
  assert.equal(gaps[0]?.missed, 6);
  scene.tutti.close();
});

test('where only the newest value is kept, offsets may jump within a recovered reply, and only there', async () => {
  const scene = await setConnectedScene();
  const { log } = follow(scene);
  await scene.pass(momentMs);
  log.length = 0;
  scene.server.answers.subscribe = () => ({
    subscribe: { recoverable: true, epoch: 'e', offset: 0, recovered: true, publications: [pub(40)] as never },
  });
  scene.server.socket.end(1006);
  await scene.pass(600);
  push(scene, pub(41), pub(43));
  assert.deepEqual(log, ['subscribing 1', 'subscribed 0', 'recovered', 'p40@40', 'p41@41', 'subscribing 2500']);
  scene.tutti.close();
});

test('DEL-8: a publication before the reply is not shown: it belongs to what was before', async () => {
  const scene = await setConnectedScene({}, (script) => (script.answers.subscribe = () => undefined));
  const { log } = follow(scene);
  await scene.pass(momentMs);
  push(scene, pub(1));
  assert.deepEqual(log, []);
  scene.tutti.close();
});

test('a listener that unsubscribes amid recovered publications gets no further one', async () => {
  const scene = await setConnectedScene({}, (script) => {
    script.answers.subscribe = () => ({
      subscribe: { recoverable: true, epoch: 'e', offset: 0, recovered: true, publications: [pub(1), pub(2)] as never },
    });
  });
  const { room, log } = follow(scene, { since: { offset: 0, epoch: 'e' } });
  room.once('publication', () => room.unsubscribe());
  await scene.pass(momentMs);
  assert.deepEqual(
    log.filter((line) => line.startsWith('p')),
    ['p1@1'],
  );
  scene.tutti.close();
});

test('unsubscribe push: below 2500 is final; from 2500 up it resubscribes, with back-off each time', async () => {
  const scene = await setConnectedScene();
  const { log, room } = follow(scene);
  await scene.pass(momentMs);
  // A server that interrupts at once, each time.
  room.on('subscribed', () =>
    scene.server.socket.reply({ push: { channel: 'room', unsubscribe: { code: 2500, reason: 'x' } } }),
  );
  scene.server.socket.reply({ push: { channel: 'room', unsubscribe: { code: 2502, reason: 'x' } } });
  await scene.pass(20_000);
  scene.server.socket.ping();
  const tries = scene.server.socket.commands.filter(({ subscribe }) => subscribe).length;
  assert.ok(tries >= 4 && tries < 20, `${tries} tries in 20 s`);
  scene.tutti.close();

  const other = await setConnectedScene();
  const ended = follow(other);
  await other.pass(momentMs);
  other.server.socket.reply({ push: { channel: 'room', unsubscribe: { code: 2000, reason: 'server unsubscribe' } } });
  await other.pass(30_000);
  assert.equal(ended.log.at(-1), 'unsubscribed 2000');
  assert.equal(other.server.socket.commands.filter(({ subscribe }) => subscribe).length, 1);
  assert.ok(log.length > 0);
  other.tutti.close();
});

test('subscribe errors: temporary and 109 are tried again, others end it with an error event', async () => {
  const scene = await setConnectedScene();
  let tokens = 0;
  const answers = [
    { error: { code: 100, message: 'internal', temporary: true } },
    { error: { code: 109, message: 'token expired' } },
    { error: { code: 103, message: 'permission denied' } },
  ];
  scene.server.answers.subscribe = () => answers.shift();
  const { log, room } = follow(scene, { getToken: (channel) => `${channel}-${++tokens}` });
  await assert.rejects(Promise.all([room.ready(), scene.pass(5_000)]), { code: 103, message: 'permission denied' });
  await scene.pass(20_000);
  const sent = scene.server.socket.commands.flatMap(({ subscribe }) => subscribe?.token ?? []);
  assert.deepEqual(sent, ['room-1', 'room-1', 'room-2']);
  assert.deepEqual(log, ['error 100', 'error 109', 'unsubscribed 103', 'error 103']);
  scene.tutti.close();
});

test('109 without a getter is final', async () => {
  const scene = await setConnectedScene(
    {},
    (script) => (script.answers.subscribe = () => ({ error: { code: 109, message: 'token expired' } })),
  );
  const { log } = follow(scene, { token: 'old' });
  await scene.pass(5_000);
  assert.deepEqual(log, ['unsubscribed 109', 'error 109']);
  scene.tutti.close();
});

test('a subscription token is renewed in time; a getter that says no ends the subscription, and tells the server', async () => {
  let tokens = 0;
  const scene = await setConnectedScene({ heartbeatGraceMs: 10 * 60_000 }, (script) => {
    script.answers.subscribe = () => ({ subscribe: { expires: true, ttl: 60 } });
    script.answers.sub_refresh = () => ({ sub_refresh: { expires: true, ttl: 60 } });
  });
  const getToken = (): string => {
    if (++tokens === 3) throw new TuttiError(103, 'revoked');
    return `t${tokens}`;
  };
  const { log } = follow(scene, { getToken });
  await scene.pass(55_000);
  assert.deepEqual(scene.server.socket.commands.at(-1)?.sub_refresh, { channel: 'room', token: 't2' });
  await scene.pass(60_000);
  assert.deepEqual(scene.server.socket.commands.at(-1)?.unsubscribe, { channel: 'room' });
  assert.deepEqual(log.slice(-2), ['unsubscribed 103', 'error 103']);
  scene.tutti.close();
});

test('a token that comes late does not hold up the connection or the other subscriptions', async () => {
  const scene = setScene();
  let give: (token: string) => void = () => {};
  const slow = scene.tutti.subscribe('slow', { getToken: () => new Promise((resolve) => (give = resolve)) });
  const quick = scene.tutti.subscribe('quick');
  await scene.pass(momentMs);
  assert.deepEqual([scene.tutti.state, quick.state, slow.state], ['connected', 'subscribed', 'subscribing']);
  give('late');
  await scene.pass(momentMs);
  assert.equal(slow.state, 'subscribed');
  scene.tutti.close();
});

test('no answer to subscribe: a new connection; a refused unsubscribe as well', async () => {
  const scene = await setConnectedScene({}, (script) => (script.answers.subscribe = () => undefined));
  follow(scene);
  await scene.pass(10_001);
  assert.equal(scene.tutti.state, 'waiting');
  scene.tutti.close();

  const other = await setConnectedScene(
    {},
    (script) => (script.answers.unsubscribe = () => ({ error: { code: 100, message: 'no' } })),
  );
  const { room } = follow(other);
  await other.pass(momentMs);
  room.unsubscribe();
  await other.pass(momentMs);
  assert.equal(other.tutti.state, 'waiting');
  other.tutti.close();
});

test('subscribe twice gives the same subscription; an ended one makes room for another', async () => {
  const scene = await setConnectedScene();
  const first = scene.tutti.subscribe('room');
  assert.equal(scene.tutti.subscribe('room'), first);
  first.unsubscribe();
  const second = scene.tutti.subscribe('room');
  assert.notEqual(second, first);
  assert.throws(() => first.subscribe(), /another subscription follows room/);
  await scene.pass(momentMs);
  assert.equal(second.state, 'subscribed');
  const verbs = scene.server.socket.commands.map((command) => Object.keys(command)[1]);
  assert.deepEqual(verbs, ['connect', 'subscribe', 'unsubscribe', 'subscribe']);
  scene.tutti.close();
});

test('subscribe data that cannot be encoded ends in a clear error', async () => {
  const scene = await setConnectedScene();
  const { log } = follow(scene, { data: 1n });
  await scene.pass(momentMs);
  assert.deepEqual([log, scene.tutti.state], [['unsubscribed 10', 'error 10'], 'connected']);
  scene.tutti.close();

  const connecting = setScene({ data: 1n });
  await connecting.pass(momentMs);
  assert.deepEqual([connecting.tutti.state, connecting.errors.length], ['disconnected', 1]);
  connecting.tutti.close();
});

test('join and leave; a subscription that does not ask is not asked for', async () => {
  const scene = await setConnectedScene();
  const room = scene.tutti.subscribe('room', { joinLeave: false, recover: false });
  const seen: string[] = [];
  room.on('join', ({ info }) => seen.push(`+${info.user}`));
  room.on('leave', ({ info }) => seen.push(`-${info.user}`));
  await scene.pass(momentMs);
  assert.deepEqual(scene.server.socket.commands.at(-1)?.subscribe, { channel: 'room' });
  const info = { user: 'ann', client: 'x' };
  scene.server.socket.reply(
    { push: { channel: 'room', join: { info } } },
    { push: { channel: 'room', leave: { info } } },
  );
  assert.deepEqual(seen, ['+ann', '-ann']);
  scene.tutti.close();
});

test('for await: in order until the end; a loop that falls behind ends with an error, in place of a silent gap', async () => {
  const scene = await setConnectedScene();
  const { room } = follow(scene);
  await scene.pass(momentMs);
  const offsets: unknown[] = [];
  const loop = (async () => {
    for await (const { offset } of room) offsets.push(offset);
  })();
  push(scene, pub(1), pub(2), pub(3));
  await scene.pass(momentMs);
  room.unsubscribe();
  await loop;
  assert.deepEqual(offsets, [1, 2, 3]);

  room.subscribe();
  await scene.pass(momentMs);
  const slow = room[Symbol.asyncIterator]();
  for (let i = 1; i <= 1_001; i++) push(scene, pub(i));
  for (let i = 1; i <= 1_001; i++) await slow.next();
  await assert.rejects(slow.next(), { code: 9 });
  scene.tutti.close();
});
