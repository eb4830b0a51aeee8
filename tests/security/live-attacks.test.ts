import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { connectClient, HostileWebSocket, opcodes, rawExchange, rawFrame, upgradeRequest } from '@tutti/testkit';
import { answerOf, besiege, besieged } from './besieged-node.ts';

// Attacks on a node that runs as it does in production, in a process of its own, while somebody is connected to it.

const timeout = 60_000;
const hostileTexts = [
  '',
  ' ',
  'a b',
  '[::1',
  'a:99999',
  'a:b',
  '%00',
  '@',
  '\\',
  'ä',
  'null',
  'x'.repeat(5_000),
  '__proto__',
];

test('S2: no malformed host, origin, path or header ends the node, or is answered with 500', { timeout }, async (t) => {
  const { node, undisturbed } = await besiege(t);
  const plain = (path: string, lines: string): string => `GET ${path} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`;
  const requests = hostileTexts.flatMap((text) => [
    upgradeRequest({ host: text }),
    upgradeRequest({ headers: { Origin: text } }),
    upgradeRequest({ headers: { 'Sec-WebSocket-Extensions': text, 'Sec-WebSocket-Protocol': text } }),
    upgradeRequest({ headers: { 'X-Forwarded-For': text, Cookie: text, ['__proto__']: text, constructor: text } }),
    ...['/connection/sse', '/connection/uni_sse', '/emulation', '/api/publish', '/ready', '/metrics'].flatMap(
      (path) => [
        plain(path, `Host: ${text}\r\nOrigin: ${text}\r\n__proto__: ${text}\r\n`),
        plain(`${path}?cf_connect=${encodeURIComponent(text)}&a=%&%=%E0%A4%A`, 'Host: localhost\r\n'),
        plain(`${path}/%${text.slice(0, 2)}`, 'Host: localhost\r\n'),
      ],
    ),
  ]);
  // At once, because some are answered by a stream that ends only when nobody connects on it.
  const answers = requests.map(async (request) => {
    const { status, text } = await rawExchange(node.port, request);
    // A node at its limit of open handshakes would pass for one that resists.
    assert.ok(status < 500, `${request.slice(0, 200)}\n${text.slice(0, 200)}`);
  });
  await Promise.all(answers);
  await undisturbed();
});

test(
  'S3: headers that never end, and sockets that never speak, are ended; others do not wait',
  { timeout },
  async (t) => {
    const { node, undisturbed } = await besiege(t);
    const slow = Array.from({ length: 60 }, () => dribble(node.port));
    const silent = await Promise.all(Array.from({ length: 20 }, () => HostileWebSocket.open(node.port)));
    await undisturbed();
    await Promise.all([...slow, ...silent.map((socket) => socket.ended())]);
    const many = Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}\r\n`).join('');
    const { status } = await rawExchange(
      node.port,
      `GET /health HTTP/1.1\r\nHost: a\r\n${many}Connection: close\r\n\r\n`,
    );
    assert.ok(status === 200 || status === 431, 'headers beyond the bound are not kept, or are refused');
    const { status: large } = await rawExchange(
      node.port,
      `GET / HTTP/1.1\r\nHost: a\r\nA: ${'x'.repeat(9_000)}\r\n\r\n`,
    );
    assert.equal(large, 431);
    await undisturbed();
  },
);

/** A request that goes on and on, a byte at a time; resolves when the other side has had enough. */
function dribble(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write('GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  const timer = setInterval(() => socket.write('x'), 250);
  return ended(socket.resume()).finally(() => clearInterval(timer));
}

function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

test(
  'S4: a failed upgrade is answered once and is the end: what was smuggled behind it is not read',
  { timeout },
  async (t) => {
    const { node, undisturbed } = await besiege(t);
    const smuggled = `GET /health HTTP/1.1\r\nHost: a\r\n\r\n`;
    const body = { 'Content-Length': String(smuggled.length) };
    const broken: Record<string, string> = {
      'a version that is none': upgradeRequest({ headers: { 'Sec-WebSocket-Version': '777' } }),
      'no key': upgradeRequest({ headers: { 'Sec-WebSocket-Key': null } }),
      'two keys': upgradeRequest({
        headers: { 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] },
      }),
      'another method': upgradeRequest({ method: 'POST' }),
      'a body': upgradeRequest({ headers: body }),
      'a chunked body': upgradeRequest({ headers: { 'Transfer-Encoding': 'chunked' } }),
      'two kinds of body': upgradeRequest({ headers: { ...body, 'Transfer-Encoding': 'chunked' } }),
      'two lengths': upgradeRequest({ headers: { 'Content-Length': ['0', String(smuggled.length)] } }),
      'an odd chunking': upgradeRequest({ headers: { 'Transfer-Encoding': 'xchunked' } }),
      'HTTP/2 without TLS': upgradeRequest({ headers: { Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQAAP__' } }),
      'both protocols': upgradeRequest({ headers: { Upgrade: 'websocket, h2c' } }),
      'HTTP/1.0': upgradeRequest().replace('HTTP/1.1', 'HTTP/1.0'),
      'a path that speaks no WebSocket': upgradeRequest({ path: '/health' }),
      'a path of the API': upgradeRequest({ path: '/api/info' }),
      'a space before a colon': upgradeRequest().replace('Upgrade:', 'Upgrade :'),
      'a header folded over two lines': upgradeRequest().replace('websocket\r\n', 'websocket\r\n folded\r\n'),
      'a bare line feed': upgradeRequest().replace('Upgrade: websocket\r\n', 'Upgrade: websocket\n'),
    };
    for (const [what, request] of Object.entries(broken)) {
      const { status, text, ended: isOver } = await rawExchange(node.port, request + smuggled + smuggled);
      assert.ok(status >= 400 && status < 500, `${what}: ${text}`);
      assert.equal(text.match(/^HTTP\/1\.1 /gm)?.length, 1, `${what}: ${text}`);
      assert.ok(isOver, what);
    }
    const upgraded = await HostileWebSocket.open(node.port);
    upgraded.write(smuggled);
    assert.match((await answerOf(upgraded)) ?? 'ended', /^(closed 1002|ended)$/, 'after 101 it is no HTTP any more');
    await undisturbed();
  },
);

test('S12: names that objects inherit are ordinary names, and poison nobody', { timeout }, async (t) => {
  const { node, undisturbed } = await besiege(t);
  for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    const user = await connectClient(node, { user: name });
    const { subscription, events } = await user.follow(`chat:${name}`);
    const data: unknown = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    await subscription.publish(data);
    assert.equal(JSON.stringify((await events.next('publication')).data), JSON.stringify(data));
    const members = Object.values(await subscription.presence()).map((member) => member.user);
    assert.deepEqual(members, [name]);
    const { publications } = await subscription.history({ limit: 10 });
    assert.equal(publications.length, 1);
    user.close();
    const answer = await fetch(`${node.url}/api/publish`, {
      method: 'POST',
      headers: { 'X-API-Key': besieged.apiKeys[0].key, 'Content-Type': 'application/json' },
      body: `{"channel":"${name}:x","data":{"__proto__":{"polluted":true}},"tags":{"__proto__":"x"}}`,
    });
    assert.match(await answer.text(), /"code":10[27]/, 'no such namespace, whatever objects inherit');
  }
  await undisturbed();
});

const publish = (data: string): string => `{"id":2,"publish":{"channel":"chat:a","data":${data}}}`;
const tooMuch: Record<string, string> = {
  'nested 30,000 deep': publish('['.repeat(30_000) + ']'.repeat(30_000)),
  'nested 100 deep': publish('['.repeat(100) + ']'.repeat(100)),
  'nested objects': publish('{"a":'.repeat(5_000) + '1' + '}'.repeat(5_000)),
  'nested and never closed': publish('['.repeat(30_000)),
  'many members': publish(`{${Array.from({ length: 5_000 }, (_, i) => `"${i}":1`).join(',')}}`),
  'a member twice': '{"id":2,"publish":{"channel":"chat:a","channel":"chat:b","data":1}}',
  'a member twice, spelt otherwise': '{"id":2,"publish":{"channel":"chat:a","\\u0063hannel":"chat:b","data":1}}',
  'a list for a name': '{"id":2,"publish":{"channel":["chat:a"],"data":1}}',
  'an offset that is no safe integer':
    '{"id":2,"subscribe":{"channel":"chat:a","offset":18446744073709551615,"recover":true,"epoch":"x"}}',
  'an id that is no integer': '{"id":1.5,"ping":{}}',
  'half a surrogate pair': publish('"\\ud800"'),
  'no JSON': publish('{'),
  nothing: '{}{}',
  'a number beyond all': '{"id":1e999,"ping":{}}',
};

test('S13: deep, repeated and odd JSON is refused to who sent it', { timeout }, async (t) => {
  const { onlooker, signedIn, undisturbed } = await besiege(t);
  const { events } = await onlooker.follow('chat:a');
  for (const [what, text] of Object.entries(tooMuch)) {
    const socket = await signedIn();
    socket.send({ opcode: opcodes.text, payload: text });
    const answer = (await answerOf(socket)) ?? 'ended';
    assert.match(answer, /"error"|^closed 3501$/, `${what}: ${answer}`);
    socket.destroy();
  }
  const socket = await signedIn();
  socket.send({ opcode: opcodes.text, payload: publish('{"n":12345678901234567890.123,"big":1e999}') });
  assert.match((await answerOf(socket)) ?? '', /"publish"/);
  const seen = await onlooker.tutti.history('chat:a', { limit: 100 });
  assert.equal(seen.publications.length, 1, 'nothing of the others was published');
  assert.equal(events.all('publication').length, 1);
  socket.destroy();
  await undisturbed();
});

test('S18: text that is no UTF-8, split anywhere, and NUL in names are refused', { timeout }, async (t) => {
  const { signedIn, undisturbed } = await besiege(t);
  const broken = [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]];
  for (const bytes of broken) {
    const payload = Buffer.concat([Buffer.from('{"id":2,"rpc":{"method":"'), Buffer.from(bytes), Buffer.from('"}}')]);
    for (const cut of [0, 25, 26, payload.length]) {
      const socket = await signedIn();
      socket.send({ opcode: opcodes.text, payload: payload.subarray(0, cut), fin: false });
      socket.send({ opcode: opcodes.continuation, payload: payload.subarray(cut) });
      assert.equal(await answerOf(socket), 'closed 1007', `${bytes.join(' ')} cut at ${cut}`);
      socket.destroy();
    }
  }
  for (const name of ['chat:\\u0000', 'chat:a\\u0000b', 'chat:\\ud800', 'chat:\\u2028']) {
    const socket = await signedIn();
    socket.send({ opcode: opcodes.text, payload: `{"id":2,"subscribe":{"channel":"${name}"}}` });
    assert.match((await answerOf(socket)) ?? 'ended', /"code":107|^closed 3501$/, name);
    socket.destroy();
  }
  await undisturbed();
});

test('S22: text made to be slow for patterns holds nobody up', { timeout }, async (t) => {
  const { node, signedIn, undisturbed } = await besiege(t);
  const slow = [
    'a'.repeat(3_000) + '!',
    '.'.repeat(3_000),
    ','.repeat(3_000),
    ' '.repeat(3_000) + 'x',
    '1.'.repeat(1_500),
    ':'.repeat(3_000),
    '%41'.repeat(1_000),
    '\\u0061'.repeat(500),
  ];
  for (const text of slow) {
    for (const name of ['Origin', 'Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'X-Forwarded-For', 'Cookie']) {
      const { status } = await rawExchange(node.port, upgradeRequest({ headers: { [name]: text } }));
      assert.ok(status === 101 || status < 500, name);
    }
    const socket = await signedIn();
    socket.send({ opcode: opcodes.text, payload: `{"id":2,"subscribe":{"channel":"chat:${text}","token":"${text}"}}` });
    assert.match((await answerOf(socket)) ?? '', /"error"/);
    socket.send({ opcode: opcodes.text, payload: `{"id":3,"rpc":{"method":"${text}","data":{"a":"${text}"}}}` });
    assert.match((await answerOf(socket)) ?? '', /"error"/);
    socket.destroy();
    await undisturbed();
  }
});

test('S23: connections that break in every place break alone', { timeout }, async (t) => {
  const { node, signedIn, undisturbed } = await besiege(t);
  const frame = rawFrame({ opcode: opcodes.text, payload: publish('"never whole"') });
  for (let round = 0; round < 25; round += 1) {
    const request = upgradeRequest();
    const early = connect(node.port, '127.0.0.1').on('error', () => undefined);
    const earlyEnd = ended(early);
    early.write(request.slice(0, 1 + ((round * 7) % request.length)), () => early.resetAndDestroy());
    const middle = await signedIn();
    middle.socket.write(frame.subarray(0, 1 + (round % (frame.length - 1))), () => middle.reset());
    const late = await signedIn();
    late.send({ opcode: opcodes.text, payload: '{"id":2,"subscribe":{"channel":"chat:a"}}' });
    late.reset();
    const half = await signedIn();
    half.send({ opcode: opcodes.text, payload: publish('"and gone"') });
    half.socket.end();
    await Promise.all([earlyEnd, ...[middle, late, half].map((socket) => socket.ended())]);
  }
  for (const what of [
    [{ opcode: 3 }],
    [{ opcode: 0x0b }],
    [{ opcode: 1, masked: false }],
    [{ opcode: 9, fin: false }],
    [{ opcode: 1, rsv: 7 }],
  ]) {
    const socket = await signedIn();
    for (const each of what) socket.send({ payload: 'x', ...each });
    assert.match((await answerOf(socket)) ?? 'ended', /^(closed 1002|ended)$/);
    socket.destroy();
  }
  await undisturbed();
});
