import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { Outbox } from './outbox.ts';
import { momentMs, setConnectedScene, setScene, type Scene } from './testing/scene.ts';
import { TuttiError } from './tutti-error.ts';

function publishes({ server }: Scene): { data: unknown; key: string | undefined }[] {
  return server.sockets.flatMap(({ commands }) =>
    commands.flatMap(({ publish }) => (publish ? [{ data: publish.data, key: publish.idempotency_key }] : [])),
  );
}

test('DEL-6: cut between send and reply: the publish goes out again with the same key, once the connection is back', async () => {
  const scene = await setConnectedScene();
  scene.server.answers.publish = () => undefined;
  const published = scene.tutti.publish('room', 'hi');
  await scene.pass(momentMs);
  scene.server.answers.publish = () => ({ publish: { offset: 8, epoch: 'e', duplicate: true } });
  scene.server.socket.end(1006);
  await scene.pass(600);
  assert.deepEqual(await published, { offset: 8, epoch: 'e', duplicate: true });
  const [first, second, ...more] = publishes(scene);
  assert.deepEqual([first, more], [second, []]);
  assert.ok((first?.key?.length ?? 0) > 20);
  scene.tutti.close();
});

test('DEL-4: publishes keep their order across a cut, and each has a key of its own', async () => {
  const scene = await setConnectedScene();
  scene.server.answers.publish = () => undefined;
  const all = [1, 2, 3].map((data) => scene.tutti.publish('room', data));
  await scene.pass(momentMs);
  scene.server.socket.end(1006);
  all.push(scene.tutti.publish('room', 4));
  scene.server.answers.publish = () => ({ publish: {} });
  await scene.pass(600);
  await Promise.all(all);
  assert.deepEqual(
    publishes(scene).map(({ data }) => data),
    [1, 2, 3, 1, 2, 3, 4],
  );
  assert.equal(new Set(publishes(scene).map(({ key }) => key)).size, 4);
  scene.tutti.close();
});

test('an unknown outcome is told as such, with the key to repeat it by', async () => {
  const scene = await setConnectedScene({ timeoutMs: 3_000 });
  scene.server.answers.publish = () => undefined;
  const published = scene.tutti.publish('room', 'hi', { idempotencyKey: 'mine' });
  const failed = assert.rejects(published, { code: 1, temporary: true, idempotencyKey: 'mine', message: /unknown/ });
  await scene.pass(3_001);
  await failed;
  assert.equal(scene.tutti.pending, 0);
  // The late answer is nobody's.
  scene.server.socket.reply({ id: 2, publish: {} });
  assert.equal(scene.tutti.state, 'connected');
  scene.tutti.close();
});

test('a request that timed out makes room for the next, though the server says nothing', async () => {
  const scene = await setConnectedScene({ inFlightMax: 1 });
  scene.server.answers.publish = () => undefined;
  const late = assert.rejects(scene.tutti.publish('room', 1, { timeoutMs: 1_000 }), { code: 1 });
  const next = scene.tutti.publish('room', 2, { timeoutMs: 5_000 });
  await scene.pass(momentMs);
  scene.server.answers.publish = () => ({ publish: { offset: 9 } });
  await scene.pass(1_000);
  await late;
  assert.deepEqual(await next, { offset: 9 });
  scene.tutti.close();
});

test('BP-1: of a request that timed out nothing is kept, also where its answer never comes', async () => {
  const clock = new VirtualClock();
  const waiting = new Set<number>();
  const outlet = {
    isConnected: true,
    call: () => {
      waiting.add(waiting.size + 1);
      return waiting.size;
    },
    forget: (id: number) => void waiting.delete(id),
  };
  const outbox = new Outbox(clock, outlet, 10, 10);
  const failed = assert.rejects(outbox.request({ rpc: {} }, { timeoutMs: 100, repeatable: false }), { code: 1 });
  await clock.advanceAsync(0);
  assert.equal(waiting.size, 1);
  await clock.advanceAsync(100);
  await failed;
  assert.deepEqual([waiting.size, outbox.pending, clock.timers], [0, 0, 0]);
});

test('BP-1: requests that wait are bounded, and the one too many is rejected clearly', async () => {
  const scene = setScene({ pendingMax: 10 }, (script) => (script.mode = 'silent'));
  const waiting = Promise.allSettled(Array.from({ length: 10 }, (_, i) => scene.tutti.publish('room', i)));
  await assert.rejects(scene.tutti.publish('room', 'one too many'), {
    code: 5,
    temporary: true,
    message: /pendingMax/,
  });
  assert.equal(scene.tutti.pending, 10);
  await scene.pass(10_001);
  assert.equal((await waiting).filter(({ status }) => status === 'rejected').length, 10);
  assert.equal(scene.tutti.pending, 0);
  scene.tutti.close();
});

test('BP-1: no more than inFlightMax requests are unanswered at a time; the others follow, in order, also after a cut', async () => {
  const scene = await setConnectedScene({ inFlightMax: 3 });
  scene.server.answers.publish = () => undefined;
  const all = Promise.all(Array.from({ length: 10 }, (_, i) => scene.tutti.publish('room', i)));
  await scene.pass(momentMs);
  assert.deepEqual(
    publishes(scene).map(({ data }) => data),
    [0, 1, 2],
  );
  scene.server.socket.end(1006);
  scene.server.answers.publish = () => ({ publish: {} });
  await scene.pass(600);
  await all;
  const again = publishes(scene).slice(3);
  assert.deepEqual(
    again.map(({ data }) => data),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.ok(scene.server.socket.frames.slice(1).every(({ length }) => length <= 3));
  scene.tutti.close();
});

test('rpc is not repeated by itself: its outcome is unknown', async () => {
  const scene = await setConnectedScene();
  assert.deepEqual(
    await Promise.all([scene.tutti.rpc('echo', { a: 1 }), scene.pass(momentMs)]).then(([data]) => data),
    { a: 1 },
  );
  scene.server.answers.rpc = () => undefined;
  const failed = assert.rejects(scene.tutti.rpc('pay'), { code: 2, message: /unknown/ });
  await scene.pass(momentMs);
  scene.server.socket.end(1006);
  await scene.pass(600);
  await failed;
  assert.equal(scene.server.socket.commands.filter(({ rpc }) => rpc).length, 0);
  scene.tutti.close();
});

test('reads are repeated after a cut; one made while connecting waits', async () => {
  const scene = setScene();
  scene.server.answers.history = () => undefined;
  const history = scene.tutti.history<string>('room', { limit: 5, since: { offset: 2, epoch: 'e' }, reverse: true });
  await scene.pass(momentMs);
  scene.server.answers.history = () => ({
    history: { publications: [{ data: 'a', offset: 1 }], epoch: 'e', offset: 9 },
  });
  scene.server.socket.end(1006);
  await scene.pass(600);
  assert.deepEqual(await history, { publications: [{ data: 'a', offset: 1, channel: 'room' }], epoch: 'e', offset: 9 });
  const expected = { channel: 'room', limit: 5, since: { offset: 2, epoch: 'e' }, reverse: true };
  assert.deepEqual(scene.server.socket.commands.find((command) => command.history)?.history, expected);
  const [members, stats] = await Promise.all([
    scene.tutti.presence('room'),
    scene.tutti.presenceStats('room'),
    scene.pass(momentMs),
  ]);
  assert.deepEqual([members, stats], [{}, { clients: 2, users: 1 }]);
  scene.tutti.close();
});

test('a request of a subscription waits for its answer, and then goes, whichever it is', async () => {
  const scene = setScene();
  let give: (token: string) => void = () => {};
  const room = scene.tutti.subscribe('room', { getToken: () => new Promise((resolve) => (give = resolve)) });
  room.on('error', () => {});
  const published = room.publish('hi');
  await scene.pass(momentMs);
  assert.deepEqual(publishes(scene), []);
  scene.server.answers.subscribe = () => ({ error: { code: 103, message: 'permission denied' } });
  scene.server.answers.publish = () => ({ error: { code: 103, message: 'permission denied' } });
  const refused = assert.rejects(published, { code: 103, temporary: false });
  give('token');
  await scene.pass(momentMs);
  await refused;
  scene.tutti.close();
});

test('what is asked in one turn leaves in one frame', async () => {
  const scene = await setConnectedScene();
  const all = Promise.all(Array.from({ length: 100 }, (_, i) => scene.tutti.publish('room', i)));
  await scene.pass(momentMs);
  await all;
  assert.deepEqual(
    scene.server.socket.frames.map(({ length }) => length),
    [1, 100],
  );
  scene.tutti.close();
});

test('data that cannot be encoded rejects its own request only', async () => {
  const scene = await setConnectedScene();
  const results = Promise.allSettled([scene.tutti.publish('room', 1n), scene.tutti.publish('room', 2)]);
  await scene.pass(momentMs);
  assert.deepEqual(
    (await results).map(({ status }) => status),
    ['rejected', 'fulfilled'],
  );
  scene.tutti.close();
});

test('S13: a publish that is larger than the server takes is rejected before it is sent, and nothing else is', async () => {
  const scene = await setConnectedScene({}, (script) => {
    script.frameBytesMax = 2_000;
    script.answers.connect = () => ({ connect: { client: 'c', frame_bytes_max: 2_000 } });
  });
  const big = assert.rejects(scene.tutti.publish('room', 'x'.repeat(2_000)), { code: 11, temporary: false });
  const others = Promise.all(Array.from({ length: 90 }, (_, i) => scene.tutti.publish('room', `small ${i}`)));
  const sent = assert.rejects(scene.tutti.send('x'.repeat(2_000)), { code: 11 });
  await scene.pass(momentMs);
  await Promise.all([big, others, sent]);
  assert.equal(scene.server.sockets.length, 1);
  assert.ok(scene.server.socket.frames.length > 5, 'small ones leave in frames that the server takes');
  scene.tutti.close();
});

test('S13: a publish as large as the server takes goes through, one byte more does not', async () => {
  const scene = await setConnectedScene({}, (script) => {
    script.frameBytesMax = 500;
    script.answers.connect = () => ({ connect: { client: 'c', frame_bytes_max: 500 } });
  });
  const fits = (room: number) => scene.tutti.publish('room', 'x'.repeat(room), { idempotencyKey: 'k' });
  const overhead = JSON.stringify({ id: 2, publish: { channel: 'room', data: '', idempotency_key: 'k' } }).length;
  const published = fits(500 - overhead);
  await scene.pass(momentMs);
  await published;
  const refused = assert.rejects(fits(501 - overhead), { code: 11, message: /501 bytes .* \(500\)/ });
  await scene.pass(momentMs);
  await refused;
  assert.deepEqual([scene.server.sockets.length, scene.server.socket.frames.length], [1, 2]);
  scene.tutti.close();
});

test('1009 from a server that says no bound: the publish that is too large is rejected, the others go again with their keys', async () => {
  const scene = await setConnectedScene({ frameBytesMax: 1_000 }, (script) => (script.frameBytesMax = 5_000));
  scene.server.answers.publish = () => undefined;
  const innocent = Promise.all(['a', 'b'].map((data) => scene.tutti.publish('room', data)));
  await scene.pass(momentMs);
  const failed = assert.rejects(scene.tutti.publish('room', 'x'.repeat(6_000)), { code: 11, temporary: false });
  const late = scene.tutti.publish('room', 'c');
  scene.server.answers.publish = () => ({ publish: {} });
  await scene.pass(600);
  await Promise.all([failed, innocent, late]);
  assert.deepEqual([scene.server.sockets.length, scene.tutti.state], [2, 'connected']);
  const [a, b, c, ...more] = publishes(scene);
  assert.deepEqual([a?.data, b?.data, c?.data], ['a', 'b', 'c']);
  assert.deepEqual(more, [a, b, c]);
  // It is known now: the next one as large does not cost the connection.
  const again = assert.rejects(scene.tutti.publish('room', 'x'.repeat(6_000)), { code: 11 });
  await scene.pass(momentMs);
  await again;
  assert.equal(scene.server.sockets.length, 2);
  scene.tutti.close();
});

test('1009 on many commands in one frame: they come again in smaller frames, and nobody is blamed', async () => {
  const scene = setScene({}, (script) => (script.frameBytesMax = 1_024));
  const rooms = Array.from({ length: 60 }, (_, i) => scene.tutti.subscribe(`room:${i}`, { token: 'x'.repeat(100) }));
  await scene.pass(10_000);
  assert.equal(scene.tutti.state, 'connected');
  assert.ok(rooms.every(({ state }) => state === 'subscribed'));
  assert.ok(scene.server.sockets.length <= 5, `${scene.server.sockets.length} attempts`);
  const results = Promise.allSettled(['a', 'x'.repeat(1_024), 'b'].map((data) => scene.tutti.publish('room', data)));
  await scene.pass(30_000);
  assert.deepEqual(
    (await results).map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  scene.tutti.close();
});

test('1009 on a subscribe ends that subscription, on the connect the client; without a culprit, too', async () => {
  const scene = await setConnectedScene({ frameBytesMax: 100 }, (script) => (script.frameBytesMax = 5_000));
  const other = scene.tutti.subscribe('other');
  const room = scene.tutti.subscribe('room', { data: 'x'.repeat(6_000) });
  const errors: TuttiError[] = [];
  room.on('error', (error) => errors.push(error));
  await scene.pass(600);
  assert.deepEqual([scene.tutti.state, room.state, other.state], ['connected', 'unsubscribed', 'subscribed']);
  assert.deepEqual(
    errors.map(({ code }) => code),
    [11],
  );
  // All that was sent has been answered: the same frames would be refused again.
  scene.server.socket.end(1009);
  assert.equal(scene.tutti.state, 'disconnected');
  scene.tutti.close();

  const huge = setScene({ data: 'x'.repeat(6_000) }, (script) => (script.frameBytesMax = 5_000));
  const off = huge.tutti.on('state', ({ to }) => {
    if (to !== 'disconnected') return;
    off();
    huge.tutti.connect();
  });
  await huge.pass(600);
  assert.deepEqual(
    huge.changes.map(({ to }) => to),
    ['disconnected', 'connecting', 'disconnected'],
  );
  assert.equal(huge.errors[0]?.code, 11);
  assert.match(huge.errors[1]?.message ?? '', /more than the server takes/);
  huge.tutti.close();
});

test('1009 on a send is reported, since nobody waits for it', async () => {
  const scene = await setConnectedScene({}, (script) => (script.frameBytesMax = 5_000));
  await scene.tutti.send('x'.repeat(6_000));
  await scene.pass(600);
  assert.deepEqual([scene.tutti.state, scene.errors.map(({ code }) => code)], ['connected', [11]]);
  scene.tutti.close();
});

test('requests are taken again after disconnect() and connect()', async () => {
  const scene = await setConnectedScene();
  scene.tutti.disconnect();
  await assert.rejects(scene.tutti.publish('room', 1), { code: 4 });
  scene.tutti.connect();
  const published = scene.tutti.publish('room', 2);
  await scene.pass(momentMs);
  assert.deepEqual(await published, { offset: 1, epoch: 'e' });
  scene.tutti.close();
});

test('disconnect(): a publish that was sent has its key in the error, one that was not has none', async () => {
  const scene = await setConnectedScene({ inFlightMax: 1 });
  scene.server.answers.publish = () => undefined;
  const results = Promise.allSettled([scene.tutti.publish('room', 1), scene.tutti.publish('room', 2)]);
  await scene.pass(momentMs);
  scene.tutti.disconnect();
  const errors = (await results).map((result) =>
    result.status === 'rejected' ? (result.reason as TuttiError) : undefined,
  );
  assert.deepEqual(
    errors.map((error) => [error?.code, error?.idempotencyKey]),
    [
      [4, publishes(scene)[0]?.key],
      [4, undefined],
    ],
  );
  scene.tutti.close();
});

test('half a character is sent as U+FFFD, in payloads and in names of members', async () => {
  const scene = await setConnectedScene();
  const cut = '🎺'.slice(0, 1);
  const done = scene.tutti.publish('room', { [`a${cut}`]: [`${cut}b`, '🎺', '\\ud83d', '\\'] });
  await scene.pass(momentMs);
  await done;
  assert.deepEqual(publishes(scene)[0]?.data, { 'a\ufffd': ['\ufffdb', '🎺', '\\ud83d', '\\'] });
  scene.tutti.close();
});

test('publish options reach the wire', async () => {
  const scene = await setConnectedScene();
  const done = scene.tutti.publish('room', 1, {
    key: 'k',
    final: true,
    idempotencyKey: 'i',
    expected: { offset: 0, epoch: 'e' },
  });
  await scene.pass(momentMs);
  await done;
  assert.deepEqual(scene.server.socket.commands[1]?.publish, {
    channel: 'room',
    data: 1,
    idempotency_key: 'i',
    key: 'k',
    final: true,
    expected_offset: 0,
    expected_epoch: 'e',
  });
  scene.tutti.close();
});

test('send: at once or not at all, and never beyond what the socket takes', async () => {
  const scene = setScene({ autoConnect: false, pendingMax: 3 });
  await assert.rejects(scene.tutti.send(1), { code: 4 });
  await assert.rejects(scene.tutti.publish('room', 1), { code: 4, message: /call connect/ });
  scene.tutti.connect();
  await scene.pass(momentMs);
  await scene.tutti.send({ typing: true });
  await scene.pass(0);
  assert.deepEqual(scene.server.socket.frames[1], [{ send: { data: { typing: true } } }]);
  const burst = await Promise.allSettled(Array.from({ length: 5 }, () => scene.tutti.send(1)));
  assert.equal(burst.filter(({ status }) => status === 'rejected').length, 2);
  await scene.pass(0);
  scene.server.socket.bufferedAmount = 2 * 1024 * 1024;
  await assert.rejects(scene.tutti.send(1), (error) => error instanceof TuttiError && error.temporary);
  scene.tutti.close();
});
