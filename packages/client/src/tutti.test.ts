// long on purpose: one flat list of what a client of the SDK sees, beside tutti.ts
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { momentMs, setConnectedScene, setScene } from './testing/scene.ts';
import { Tutti } from './tutti.ts';
import { TuttiError } from './tutti-error.ts';

test('CON-4: connect and all subscriptions leave in one frame, at first and on every return', async () => {
  const { tutti, server, pass } = setScene({ name: 'app', version: '1', data: { a: 1 }, token: 't' });
  for (let i = 0; i < 100; i++) tutti.subscribe(`room:${i}`);
  await pass(momentMs);
  assert.equal(server.socket.frames.length, 1);
  assert.deepEqual(server.socket.commands[0], {
    id: 1,
    connect: { token: 't', data: { a: 1 }, name: 'app', version: '1' },
  });
  assert.equal(server.socket.commands.length, 101);

  server.socket.end(3001);
  await pass(600);
  assert.equal(server.sockets.length, 2);
  assert.equal(server.socket.frames.length, 1);
  assert.equal(server.socket.commands.filter(({ subscribe }) => subscribe?.recover === true).length, 100);
  tutti.close();
});

test('S14: a resume that exceeds the frame bounds is split, in order, and nothing is lost', async () => {
  const { tutti, server, pass } = setScene({ frameBytesMax: 1_000 });
  for (let i = 0; i < 50; i++) tutti.subscribe(`room:${i}`, { token: 'x'.repeat(100) });
  await pass(momentMs);
  assert.ok(server.socket.frames.length > 1);
  for (const frame of server.socket.frames) assert.ok(JSON.stringify(frame).length <= 1_100);
  const channels = server.socket.commands.flatMap(({ subscribe }) => subscribe?.channel ?? []);
  assert.deepEqual(
    channels,
    Array.from({ length: 50 }, (_, i) => `room:${i}`),
  );
  tutti.close();
});

test('CON-4: instant failure makes no spin: at most 25 attempts in five minutes, growing apart', async () => {
  const { tutti, server, pass } = setScene({}, (script) => (script.mode = 'refuse'));
  await pass(5 * 60_000);
  assert.ok(server.sockets.length >= 15 && server.sockets.length <= 60, `${server.sockets.length} attempts`);
  tutti.close();
});

test('CON-4: a connection that is accepted and cut at once does not reset the back-off', async () => {
  const { tutti, server, pass, changes } = setScene();
  tutti.on('connected', () => server.socket.end(3000));
  await pass(3 * 60_000);
  assert.ok(server.sockets.length <= 40, `${server.sockets.length} attempts`);
  const longest = Math.max(...changes.map(({ retryMs }) => retryMs ?? 0));
  assert.ok(longest > 5_000, `the longest wait was ${longest} ms`);
  tutti.close();
});

test('CON-4: after a stable connection the back-off starts anew', async () => {
  const { tutti, server, pass, changes } = setScene(
    { heartbeatGraceMs: 10 * 60_000 },
    (script) => (script.mode = 'refuse'),
  );
  await pass(60_000);
  server.mode = 'open';
  await pass(60_000);
  assert.equal(tutti.state, 'connected');
  server.socket.end(3000);
  assert.ok((changes.at(-1)?.retryMs ?? Infinity) <= 500);
  tutti.close();
});

test('CON-3: the hint in the close reason is the earliest time, also when the network says online', async () => {
  const { tutti, server, pass, changes, network } = await setConnectedScene();
  server.socket.end(3001, 'shutdown; retry=7000');
  const retryMs = changes.at(-1)?.retryMs ?? 0;
  assert.ok(retryMs >= 7_000 && retryMs <= 7_500, `${retryMs}`);
  network('online');
  await pass(6_990);
  assert.equal(server.sockets.length, 1);
  await pass(600);
  assert.equal(tutti.state, 'connected');
  tutti.close();
});

test('a hint without sense is bounded', async () => {
  const { tutti, server, changes } = await setConnectedScene();
  server.socket.end(3001, 'retry=99999999999999');
  assert.ok((changes.at(-1)?.retryMs ?? Infinity) <= 10 * 60_000 + 500);
  tutti.close();
});

for (const [code, to] of [
  [1000, 'waiting'],
  [1006, 'waiting'],
  [1012, 'waiting'],
  [3000, 'waiting'],
  [3012, 'waiting'],
  [3499, 'waiting'],
  [3500, 'disconnected'],
  [3999, 'disconnected'],
  [4000, 'waiting'],
  [4499, 'waiting'],
  [4500, 'disconnected'],
  [4999, 'disconnected'],
] as const) {
  test(`close code ${code} → ${to}`, async () => {
    const { tutti, server, pass, changes } = await setConnectedScene();
    server.socket.end(code, 'why');
    assert.equal(tutti.state, to);
    assert.deepEqual({ code: changes.at(-1)?.code, reason: changes.at(-1)?.reason }, { code, reason: 'why' });
    await pass(60_000);
    assert.equal(server.sockets.length > 1, to === 'waiting');
    tutti.close();
  });
}

test('a disconnect push counts as its close code', async () => {
  const { tutti, server } = await setConnectedScene();
  server.socket.reply({ push: { disconnect: { code: 3503, reason: 'force disconnect' } } });
  assert.equal(tutti.state, 'disconnected');
  assert.equal(server.socket.isClosed, true);
  tutti.close();
});

test('CON-1: pings are answered where the server wants it; silence for ping + grace means a new connection', async () => {
  const { tutti, server, pass } = await setConnectedScene();
  const { socket } = server;
  for (let i = 0; i < 5; i++) {
    await pass(25_000);
    socket.ping();
  }
  await pass(1);
  assert.deepEqual(
    socket.frames.slice(1),
    Array.from({ length: 5 }, () => [{}]),
  );
  await pass(34_990);
  assert.equal(tutti.state, 'connected');
  await pass(100);
  assert.equal(socket.isClosed, true);
  await pass(600);
  assert.equal(server.sockets.length, 2);
  tutti.close();
});

test('CON-1: any frame is a sign of life; without pong no answer is sent', async () => {
  const { tutti, server, pass } = await setConnectedScene({}, (script) => {
    script.answers.connect = () => ({ connect: { client: 'c', ping: 25 } });
  });
  for (let i = 0; i < 4; i++) {
    await pass(30_000);
    server.socket.reply({ push: { message: { data: i } } });
  }
  server.socket.ping();
  await pass(1);
  assert.equal(tutti.state, 'connected');
  assert.equal(server.socket.frames.length, 1);
  tutti.close();
});

test('a server that neither opens nor answers is given up after timeoutMs', async () => {
  const { tutti, server, pass } = setScene({}, (script) => (script.mode = 'silent'));
  await pass(10_001);
  assert.equal(tutti.state, 'waiting');
  assert.equal(server.socket.isClosed, true);
  tutti.close();
});

test('token: got once, renewed before it runs out, and fetched anew on error 109', async () => {
  let fetched = 0;
  const getToken = async (): Promise<string> => `token-${++fetched}`;
  const { tutti, server, pass } = setScene({ getToken, heartbeatGraceMs: 10 * 60_000 }, (script) => {
    script.answers.connect = () => ({ connect: { client: 'c', expires: true, ttl: 100, ping: 25 } });
    script.answers.refresh = () => ({ refresh: { client: 'c', expires: true, ttl: 100 } });
  });
  await pass(79_000);
  assert.deepEqual(
    server.socket.commands.map((command) => Object.keys(command)[1]),
    ['connect'],
  );
  await pass(12_000);
  assert.deepEqual(server.socket.commands[1]?.refresh, { token: 'token-2' });
  await pass(90_000);
  assert.deepEqual(server.socket.commands[2]?.refresh, { token: 'token-3' });

  server.answers.connect = ({ connect }) =>
    connect?.token === 'token-3' ? { error: { code: 109, message: 'token expired' } } : { connect: { client: 'd' } };
  server.socket.end(3000);
  await pass(3_000);
  assert.equal(tutti.state, 'connected');
  assert.equal(server.socket.commands[0]?.connect?.token, 'token-4');
  tutti.close();
});

test('token: a getter that fails is tried again with back-off; one that says no, or hangs, is handled', async () => {
  let calls = 0;
  const failing = setScene({ getToken: () => (++calls < 4 ? Promise.reject(new Error('503')) : 'good') });
  await failing.pass(30_000);
  assert.equal(calls, 4);
  assert.equal(failing.tutti.state, 'connected');
  assert.deepEqual(
    failing.errors.map(({ code, temporary }) => [code, temporary]),
    Array(3).fill([8, true]),
  );
  failing.tutti.close();

  const no = setScene({
    getToken: () => {
      throw new TuttiError(101, 'logged out');
    },
  });
  await no.pass(60_000);
  assert.equal(no.tutti.state, 'disconnected');
  assert.equal(no.server.sockets.length, 0);
  no.tutti.close();

  const hanging = setScene({ getToken: () => new Promise<string>(() => {}) });
  await hanging.pass(10_001);
  assert.equal(hanging.tutti.state, 'waiting');
  hanging.tutti.close();
  assert.equal(hanging.clock.timers, 0);
});

test('connect error: temporary → again; lasting → disconnected, and everything waiting is rejected', async () => {
  const scene = setScene({}, (script) => {
    script.answers.connect = () => ({ error: { code: 100, message: 'internal', temporary: true } });
  });
  await scene.pass(momentMs);
  assert.equal(scene.tutti.state, 'waiting');
  const waiting = assert.rejects(scene.tutti.history('a'), { code: 4, message: /unauthorized \(101\)/ });
  scene.server.answers.connect = () => ({ error: { code: 101, message: 'unauthorized' } });
  await scene.pass(3_000);
  assert.equal(scene.tutti.state, 'disconnected');
  await waiting;
  await assert.rejects(scene.tutti.publish('a', 1), { code: 4 });
  scene.tutti.close();
});

test('server-side subscriptions are recovered across reconnects; a gap is told', async () => {
  const { tutti, server, pass } = setScene({}, (script) => {
    script.answers.connect = () => ({
      connect: { client: 'c', subs: { '#user': { recoverable: true, positioned: true, epoch: 'e', offset: 5 } } },
    });
  });
  const seen: unknown[] = [];
  for (const name of ['subscribed', 'publication', 'gap', 'unsubscribed', 'join'] as const) {
    tutti.on(name, (event) => seen.push([name, 'data' in event ? event.data : event.channel]));
  }
  await pass(momentMs);
  server.socket.reply({ push: { channel: '#user', pub: { data: 'six', offset: 6 } } });
  server.socket.reply({ push: { channel: '#user', join: { info: { user: 'u', client: 'x' } } } });
  server.socket.reply({ push: { channel: '#stranger', pub: { data: 'no', offset: 1 } } });
  assert.deepEqual(seen.splice(0), [
    ['subscribed', undefined],
    ['publication', 'six'],
    ['join', '#user'],
  ]);

  server.answers.connect = ({ connect }) => {
    assert.deepEqual(connect?.subs, { '#user': { recover: true, offset: 6, epoch: 'e' } });
    const publications = [{ data: 'seven', offset: 7 }];
    return {
      connect: {
        client: 'd',
        subs: { '#user': { recoverable: true, epoch: 'e', offset: 6, recovered: true, publications } },
      },
    };
  };
  server.socket.end(3000);
  await pass(600);
  assert.deepEqual(seen.splice(0), [
    ['subscribed', undefined],
    ['publication', 'seven'],
  ]);

  server.answers.connect = () => ({
    connect: { client: 'e', subs: { '#user': { recoverable: true, epoch: 'e2', offset: 1, recovered: false } } },
  });
  // Offset 9 without 8: never shown; a new connection is to bring both.
  server.socket.reply({ push: { channel: '#user', pub: { data: 'nine', offset: 9 } } });
  assert.equal(tutti.state, 'waiting');
  await pass(1_100);
  assert.deepEqual(seen.splice(0), [
    ['subscribed', undefined],
    ['gap', '#user'],
  ]);

  server.answers.connect = () => ({ connect: { client: 'f' } });
  server.socket.end(3000);
  await pass(3_000);
  assert.deepEqual(seen.splice(0), [['unsubscribed', '#user']]);
  tutti.close();
});

test('listeners that throw or reenter disturb neither the client nor each other', async () => {
  const { tutti, server, pass, errors } = await setConnectedScene();
  const seen: unknown[] = [];
  const room = tutti.subscribe('room');
  const roomErrors: TuttiError[] = [];
  room.on('error', (error) => roomErrors.push(error));
  room.on('publication', () => {
    throw new Error('mine');
  });
  room.on('publication', ({ data }) => seen.push(data));
  tutti.on('message', () => {
    throw new Error('also mine');
  });
  await pass(momentMs);
  const { socket } = server;
  socket.reply(
    { push: { channel: 'room', pub: { data: 1, offset: 1 } } },
    { push: { message: { data: 0 } } },
    { push: { channel: 'room', pub: { data: 2, offset: 2 } } },
  );
  assert.deepEqual(seen, [1, 2]);
  assert.equal(roomErrors.length, 2);
  assert.equal((roomErrors[0]?.cause as Error).message, 'mine');
  assert.deepEqual(
    errors.map(({ code }) => code),
    [6],
  );

  // The rest of a frame is void once a listener has ended the link.
  room.on('publication', ({ data }) => {
    if (data === 3) tutti.disconnect();
  });
  socket.reply(
    { push: { channel: 'room', pub: { data: 3, offset: 3 } } },
    { push: { channel: 'room', pub: { data: 4, offset: 4 } } },
    { push: { message: { data: 'void' } } },
  );
  assert.equal(errors.length, 1, 'the message was not told');
  assert.deepEqual(seen, [1, 2, 3]);
  tutti.close();
});

test('a frame that is none is reported, and the connection made anew', async () => {
  for (const bad of ['{"push":', '[]', 'null', '7', new ArrayBuffer(3)]) {
    const { tutti, server, errors } = await setConnectedScene();
    server.socket.raw(bad);
    assert.deepEqual([errors.map(({ code }) => code), tutti.state], [[7], 'waiting']);
    tutti.close();
  }
});

test('offline ends the connection, online hastens the return, and flapping makes no spin', async () => {
  const { tutti, server, pass, network } = await setConnectedScene();
  network('offline');
  assert.equal(tutti.state, 'waiting');
  server.mode = 'silent';
  for (let i = 0; i < 100; i++) {
    network('online');
    network('offline');
  }
  assert.equal(server.sockets.length, 1);
  await pass(600);
  assert.equal(server.sockets.length, 2);
  tutti.close();
});

test('disconnect() pauses: subscriptions stay wanted and resume with recovery on connect()', async () => {
  const { tutti, server, pass } = await setConnectedScene();
  const room = tutti.subscribe('room');
  await pass(momentMs);
  await room.ready();
  tutti.disconnect();
  assert.deepEqual([tutti.state, room.state, tutti.client], ['disconnected', 'subscribing', undefined]);
  await pass(60_000);
  assert.equal(server.sockets.length, 1);
  tutti.connect();
  await pass(momentMs);
  assert.equal(room.state, 'subscribed');
  assert.equal(server.socket.commands[1]?.subscribe?.recover, true);
  tutti.close();
});

test('close() is for good: subscriptions end, requests are rejected, nothing is left', async () => {
  const { tutti, server, pass, clock, isWatching } = await setConnectedScene();
  const room = tutti.subscribe('room');
  server.answers.publish = () => undefined;
  await pass(momentMs);
  const rejected = assert.rejects(room.publish(1), { code: 3 });
  const ready = assert.rejects(tutti.subscribe('other').ready());
  await pass(0);
  tutti.close();
  await Promise.all([rejected, ready]);
  await pass(momentMs); // The scripted server's own timers.
  assert.deepEqual([tutti.state, room.state, clock.timers, isWatching()], ['closed', 'unsubscribed', 0, false]);
  assert.equal(server.socket.isClosed, true);
  assert.throws(() => tutti.connect(), { code: 3 });
  assert.throws(() => tutti.subscribe('x'), { code: 3 });
  assert.throws(() => room.subscribe(), { code: 3 });
  await assert.rejects(tutti.rpc('x'), { code: 3 });
  await assert.rejects(tutti.ready());
  tutti.close();
});

test('options that make no sense are refused with a name', () => {
  assert.throws(() => setScene({ timeoutMs: 0 }), /timeoutMs must be above 0/);
  assert.throws(() => setScene({ pendingMax: NaN }), /pendingMax/);
});

test('a URL that is none ends in a clear error, not in a loop', async () => {
  const errors: TuttiError[] = [];
  const tutti = new Tutti('no url at all', {});
  tutti.on('error', (error) => errors.push(error));
  await assert.rejects(tutti.ready());
  assert.match(errors[0]?.message ?? '', /cannot open no url at all/);
  tutti.close();
});
