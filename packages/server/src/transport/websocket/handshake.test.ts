import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@tutti/testkit';
import { checkHandshake, type HandshakeRequest } from './handshake.ts';
import type { OriginRules } from '../origin.ts';

const closedRules: OriginRules = { allowedOrigins: ['https://app.example.com'], loopbackOnly: false };
const devRules: OriginRules = { allowedOrigins: [], loopbackOnly: true };

const valid: Readonly<Record<string, string>> = {
  Host: 'chat.example.com',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

function requestOf(
  changes: Record<string, string | null> = {},
  rest: Partial<HandshakeRequest> = {},
): HandshakeRequest {
  const headers = Object.entries({ ...valid, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  );
  return { method: 'GET', url: '/connection/websocket', httpVersion: '1.1', rawHeaders: headers.flat(), ...rest };
}

function judge(request: HandshakeRequest, rules = closedRules): number | string {
  const handshake = checkHandshake(request, rules);
  return handshake.accepted ? handshake.format : handshake.refusal.status;
}

test('a valid request is accepted; subprotocol and query choose the codec', () => {
  assert.equal(judge(requestOf()), 'json');
  assert.equal(judge(requestOf({ Upgrade: 'WebSocket', Connection: 'keep-alive, upgrade' })), 'json');
  assert.equal(judge(requestOf({ 'Sec-WebSocket-Protocol': 'centrifuge-protobuf' })), 'protobuf');
  assert.equal(judge(requestOf({ 'Sec-WebSocket-Protocol': 'other, centrifuge-protobuf' })), 'protobuf');
  assert.equal(judge(requestOf({ 'Sec-WebSocket-Protocol': 'other' })), 'json');
  for (const query of ['format=protobuf', 'cf_protocol=protobuf', 'a=%&cf_protocol_version=v2&format=protobuf']) {
    assert.equal(judge(requestOf({}, { url: `/connection/websocket?${query}` })), 'protobuf', query);
  }
  assert.equal(judge(requestOf({}, { url: '/connection/websocket?format=json' })), 'json');
});

test('S4: whatever is not fully valid is refused, with the status that says why', () => {
  const refused: [Record<string, string | null>, number][] = [
    [{ 'Sec-WebSocket-Version': '1' }, 426],
    [{ 'Sec-WebSocket-Version': '8' }, 426],
    [{ 'Sec-WebSocket-Version': '13, 8' }, 426],
    [{ 'Sec-WebSocket-Version': '013' }, 426],
    [{ 'Sec-WebSocket-Version': '1e1' }, 426],
    [{ 'Sec-WebSocket-Version': null }, 426],
    [{ 'Sec-WebSocket-Key': null }, 400],
    [{ 'Sec-WebSocket-Key': 'short==' }, 400],
    [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZR==' }, 400],
    [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==' }, 400],
    [{ Upgrade: 'h2c' }, 400],
    [{ Upgrade: 'websocket, h2c' }, 400],
    [{ Upgrade: null }, 400],
    [{ Connection: 'keep-alive' }, 400],
    [{ Connection: 'upgraded' }, 400],
    [{ 'Content-Length': '5' }, 400],
    [{ 'Content-Length': '00' }, 400],
    [{ 'Transfer-Encoding': 'chunked' }, 400],
    [{ 'Transfer-Encoding': 'chunked', 'Content-Length': '0' }, 400],
    [{ 'Sec-WebSocket-Protocol': 'a b' }, 400],
    [{ 'Sec-WebSocket-Protocol': 'a,,b' }, 400],
    [{ 'Sec-WebSocket-Protocol': 'a, a' }, 400],
  ];
  for (const [changes, status] of refused) assert.equal(judge(requestOf(changes)), status, JSON.stringify(changes));
  assert.equal(judge(requestOf({}, { method: 'POST' })), 405);
  assert.equal(judge(requestOf({}, { httpVersion: '1.0' })), 400);
  assert.equal(judge(requestOf({ 'Content-Length': '0' })), 'json');
});

test('S4: a header that may come once and comes twice is refused', () => {
  for (const [name, value] of Object.entries({ ...valid, Origin: 'https://app.example.com' })) {
    if (name === 'Connection') continue;
    const request = requestOf({ Origin: 'https://app.example.com' });
    assert.equal(judge({ ...request, rawHeaders: [...request.rawHeaders, name.toLowerCase(), value] }), 400, name);
  }
});

test('S1: a page may connect from the same host, or from an origin that is listed whole', () => {
  const allowed = [
    'https://app.example.com',
    'https://chat.example.com',
    'http://chat.example.com',
    'https://CHAT.example.com:443',
  ];
  for (const Origin of allowed) assert.equal(judge(requestOf({ Origin })), 'json', Origin);
  const refused = [
    'https://app.example.com.evil.com',
    'https://evil.com/https://app.example.com',
    'https://evilapp.example.com',
    'https://sub.app.example.com',
    'http://app.example.com',
    'https://app.example.com:444',
    'https://app.example.com ',
    'https://app.example.com@evil.com',
    'https://chat.example.com:8443',
    'https://chat.example.com.',
    'null',
    '*',
    '',
    'file://',
    'https://',
  ];
  for (const Origin of refused) assert.equal(judge(requestOf({ Origin })), 403, Origin);
});

test('S1: ports count; the default one may be left out on either side', () => {
  assert.equal(judge(requestOf({ Host: 'chat.example.com:8000', Origin: 'http://chat.example.com:8000' })), 'json');
  assert.equal(judge(requestOf({ Host: 'chat.example.com:8000', Origin: 'http://chat.example.com' })), 403);
  assert.equal(judge(requestOf({ Host: 'chat.example.com:443', Origin: 'https://chat.example.com' })), 'json');
  assert.equal(judge(requestOf({ Host: '[::1]:8000', Origin: 'http://[::1]:8000' })), 'json');
});

test('S1: "*" lets every page in but one without a name; other schemes only when listed whole', () => {
  const any: OriginRules = { allowedOrigins: ['*', 'capacitor://localhost', 'null'], loopbackOnly: false };
  assert.equal(judge(requestOf({ Origin: 'https://anything.example' }), any), 'json');
  assert.equal(judge(requestOf({ Origin: 'capacitor://localhost' }), any), 'json');
  assert.equal(judge(requestOf({ Origin: 'null' }), any), 403);
  assert.equal(judge(requestOf({ Origin: 'chrome-extension://abc' }), any), 403);
});

test('S1: a node without tokens takes pages of this machine only, and only under its loopback names', () => {
  for (const origin of ['http://localhost:5173', 'http://127.0.0.1:8000', 'http://[::1]:1', 'http://app.localhost']) {
    assert.equal(judge(requestOf({ Host: 'localhost:8000', Origin: origin }), devRules), 'json', origin);
  }
  for (const origin of [
    'http://evil.com',
    'http://localhost.evil.com',
    'http://127.0.0.1.evil.com',
    'http://xlocalhost',
    'null',
  ]) {
    assert.equal(judge(requestOf({ Host: 'localhost:8000', Origin: origin }), devRules), 403, origin);
  }
  // DNS rebinding: the page's own name points here, so that host and origin agree.
  assert.equal(judge(requestOf({ Host: 'evil.com:8000', Origin: 'http://evil.com:8000' }), devRules), 403);
  assert.equal(judge(requestOf({ Host: 'evil.com:8000', Origin: 'http://localhost:8000' }), devRules), 403);
  assert.equal(judge(requestOf({ Host: 'localhost:8000' }), devRules), 'json');
});

test('S2: hostile Host, Origin and URL are refused or let be, and never throw', () => {
  for (const Host of [
    '',
    ' ',
    'a b',
    'a/b',
    'a@b',
    '[::1',
    '[]',
    'a:99999',
    'a:-1',
    'a:b',
    'ä',
    '\u0000',
    '%00',
    'x'.repeat(5_000),
  ]) {
    assert.equal(judge(requestOf({ Host })), 400, Host);
  }
  for (const url of ['', '?', '/%', '/?%', '/?%E0%A4%A&format=%', '//x', 'http://[', '/?' + '&='.repeat(3_000)]) {
    assert.equal(judge(requestOf({}, { url })), 'json', url);
  }
  const odd = ['__proto__', 'x', 'constructor', 'y', 'Sec-WebSocket-Extensions', 'constructor', 'lonely'];
  assert.equal(judge(requestOf({}, { rawHeaders: [...requestOf().rawHeaders, ...odd] })), 'json');
});

// A pattern that backtracks would not end within the time-out.
test('S2, S22: 20,000 mutated requests neither throw nor hang', { timeout: 30_000 }, () => {
  const random = new SeededRandom(20_261_122);
  const pieces = [
    'websocket',
    'upgrade',
    '13',
    ',',
    ' ',
    '\t',
    'http://',
    '[',
    ']',
    ':',
    '@',
    '%',
    '\u0000',
    'é',
    'a'.repeat(300),
    '=',
    '..',
  ];
  for (let i = 0; i < 20_000; i++) {
    const request = requestOf({ Origin: 'https://chat.example.com', 'Sec-WebSocket-Protocol': 'a, b' });
    const rawHeaders = [...request.rawHeaders];
    for (let edits = random.int(4); edits >= 0; edits--) {
      const at = random.int(rawHeaders.length);
      const value = rawHeaders[at] ?? '';
      const cut = random.int(value.length + 1);
      rawHeaders[at] = value.slice(0, cut) + random.pick(pieces) + value.slice(cut + random.int(3));
    }
    const verdict = checkHandshake(
      { ...request, rawHeaders, url: `/${random.pick(pieces)}?${random.pick(pieces)}` },
      closedRules,
    );
    if (!verdict.accepted) assert.ok(verdict.refusal.status >= 400 && verdict.refusal.status < 500);
  }
});
