import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { loadConfig, type LoadedConfig, type LoadRequest } from './load.ts';
import { formatProblem } from './problem.ts';

const secret = 'a-secret-of-32-bytes-or-more-for-tests';
const key = { TUTTI_TOKEN_HMAC_SECRET: secret };

function folder(t: TestContext, files: Record<string, string> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'tutti-config-'));
  t.after(() => {
    rmSync(path, { recursive: true });
  });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

function load(t: TestContext, request: LoadRequest & { files?: Record<string, string> } = {}): Promise<LoadedConfig> {
  const { files, ...rest } = request;
  return loadConfig({ env: key, cwd: folder(t, files), ...rest });
}

function problems({ problems: found }: LoadedConfig): string[] {
  return found.map(formatProblem);
}

test('default < file < environment < flag, and the source of each is known', async (t) => {
  const files = { 'tutti.config.json': '{"port":1,"pingInterval":"30s","logLevel":"warn","historyPageMax":7}' };
  const env = { ...key, TUTTI_PORT: '2', TUTTI_PING_INTERVAL: '40s', TUTTI_LOG_LEVEL: 'error' };
  const config = await load(t, { files, env, flags: { port: '3', pingInterval: '50s', host: undefined } });
  assert.deepEqual(problems(config), []);
  const { settings, sources } = config;
  assert.equal(settings.port, 3);
  assert.equal(settings.pingIntervalMs, 50_000);
  assert.equal(settings.logLevel, 'error');
  assert.equal(settings.historyPageMax, 7);
  assert.equal(settings.pongTimeoutMs, 8_000);
  assert.deepEqual(sources.get('port'), { kind: 'flag', name: '--port' });
  assert.deepEqual(sources.get('logLevel'), { kind: 'variable', name: 'TUTTI_LOG_LEVEL' });
  assert.deepEqual(sources.get('historyPageMax'), { kind: 'file', name: 'tutti.config.json' });
  assert.equal(sources.get('host')?.kind, 'default');
});

test('all problems are reported at once, each with its place and the nearest valid name', async (t) => {
  const files = {
    'tutti.config.json': JSON.stringify({
      pongTimeuot: '1s',
      port: '80',
      namespaces: { chat: { histroySize: 1, durable: true, allowPublish: 'everyone' }, Big: {}, x: 3 },
    }),
  };
  const env = { ...key, TUTTI_PROT: '1', TUTTI_FRAME_BYTES_MAX: '64 KB' };
  const config = await load(t, { files, env, flags: { pingInterval: '25' } });
  assert.deepEqual(problems(config), [
    'TUTTI_PROT is not a variable of tutti; did you mean TUTTI_PORT?',
    'tutti.config.json: pongTimeuot is not an option; did you mean pongTimeout?',
    'tutti.config.json: port must be a whole number',
    'tutti.config.json: namespaces.chat.histroySize is not an option of a namespace; did you mean historySize?',
    'tutti.config.json: namespaces.chat.allowPublish must be one of nobody, subscriber, user, anyone',
    'tutti.config.json: namespaces.Big is no name of a namespace: 1 to 64 of the characters a-z 0-9 _ -',
    'tutti.config.json: namespaces.x must be an object of options, such as {"historySize": 100}',
    "TUTTI_FRAME_BYTES_MAX must be a size such as '64KiB' or '5MiB', or a number of bytes",
    "--ping-interval must be a duration such as '250ms', '25s', '5m', '24h' or '30d'",
  ]);
});

const contradictory: [string, Record<string, unknown>, RegExp][] = [
  ['durable without history', { namespaces: { a: { durable: true } } }, /namespaces.a.durable needs historySize/],
  ['grace by connection', { namespaces: { a: { presenceGrace: '5s' } } }, /presenceGrace needs joinLeave/],
  ['joinLeave without presence', { namespaces: { a: { joinLeave: true } } }, /namespaces.a.joinLeave needs presence/],
  ['another engine', { engine: 'kafka://:hunter2@db' }, /engine must be embedded, nats:.*redis:/],
  ['a Redis without a host', { engine: 'redis://:hunter2@' }, /engine names no host/],
  ['a prefix with braces', { enginePrefix: 'a{b}' }, /enginePrefix must be 1 to 64 of the characters/],
  ['insecure outside of dev', { insecure: true }, /insecure is for tutti dev only/],
  [
    'personal namespace that is not there',
    { personalNamespace: 'persnal', namespaces: { personal: {} } },
    /did you mean personal\?/,
  ],
  ['pong after ping', { pongTimeout: '25s' }, /pongTimeout must be shorter/],
  ['fewer commands than a client resumes with', { subscriptionsMax: 256 }, /pendingCommandsMax must be at least 257/],
  ['a bound of commands below the default', { pendingCommandsMax: 128 }, /pendingCommandsMax must be at least 129/],
  ['origin with a path', { allowedOrigins: ['https://a.example/'] }, /write https:\/\/a.example/],
  ['origin pattern', { allowedOrigins: ['https://*.example'] }, /patterns are not supported/],
  ['origin null', { allowedOrigins: ['null'] }, /no exact origin/],
  ['empty host', { host: '' }, /host is empty/],
  ['node name with a line break', { nodeName: 'a\nb' }, /nodeName must be/],
  ['a certificate without its key', { tlsCertFile: 'cert.pem' }, /^tlsKeyFile .*is empty: a certificate and its key/],
  ['a key without its certificate', { tlsKeyFile: 'key.pem' }, /^tlsCertFile .*is empty: a certificate and its key/],
];
for (const [title, file, reason] of contradictory) {
  test(`settings that contradict each other are refused: ${title}`, async (t) => {
    const config = await load(t, { files: { 'tutti.config.json': JSON.stringify(file) } });
    assert.equal(config.problems.length, 1, problems(config).join('\n'));
    assert.match(problems(config)[0] ?? '', reason);
    assert.doesNotMatch(problems(config).join(), /hunter2/);
  });
}

test('S5: serve without a key, and without anonymous users, is refused with what to do', async (t) => {
  assert.match(problems(await load(t, { env: {} }))[0] ?? '', /nobody could connect.*openssl rand/);
  assert.deepEqual(problems(await load(t, { env: { TUTTI_ALLOW_ANONYMOUS: 'true' } })), []);
  const short = await load(t, { env: { TUTTI_TOKEN_HMAC_SECRET: 'hunter2' } });
  assert.match(problems(short)[0] ?? '', /TUTTI_TOKEN_HMAC_SECRET is not usable: the secret has 7 bytes/);
  assert.doesNotMatch(problems(short).join(), /hunter2/);
});

test('S5: dev is insecure, and on a loopback address only', async (t) => {
  const dev = await load(t, { mode: 'dev', env: {} });
  assert.deepEqual(problems(dev), []);
  assert.equal(dev.settings.insecure, true);
  assert.deepEqual(problems(await load(t, { mode: 'dev', env: {}, flags: { host: '::1' } })), []);
  for (const host of ['0.0.0.0', '::', '192.168.1.4', 'example.com', '127.0.0.1.example.com', '127.1']) {
    const config = await load(t, { mode: 'dev', env: {}, flags: { host } });
    assert.match(problems(config)[0] ?? '', /^--host must be a loopback address/, host);
  }
  const secure = await load(t, { mode: 'dev', env: { TUTTI_INSECURE: 'false', TUTTI_HOST: '0.0.0.0' } });
  assert.deepEqual(problems(secure), []);
});

test('in dev, configured namespaces join those of the preset, and replace those of the same name', async (t) => {
  const files = { 'tutti.config.json': '{"namespaces":{"mine":{},"chat":{"historySize":5}}}' };
  const { settings } = await load(t, { mode: 'dev', env: {}, files });
  assert.deepEqual([...settings.namespaces.keys()].sort(), [
    'chat',
    'default',
    'demo',
    'mine',
    'personal',
    'ticker',
    'tutti',
    'typing',
  ]);
  assert.equal(settings.namespaces.get('chat')?.historySize, 5);
  assert.equal(settings.namespaces.get('chat')?.allowPublish, 'nobody');
});

test('keys come from files beside the configuration, and unsound ones are refused by their place', async (t) => {
  const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const tokenKeys = [
    { alg: 'EdDSA', kid: 'one', publicKeyFile: 'key.pem' },
    { alg: 'RS256', publicKey: pem },
    { alg: 'HS256', secret: 'hunter2' },
    { alg: 'HS256', secret, publicKey: pem },
    { alg: 'HS256', sekret: secret },
    { alg: 'EdDSA', publicKeyFile: 'gone.pem' },
  ];
  const config = await load(t, {
    env: {},
    files: { 'key.pem': pem, 'tutti.config.json': JSON.stringify({ tokenKeys }) },
  });
  const found = problems(config).join('\n');
  assert.match(found, /tokenKeys\[1\] is not usable: RS256 needs an RSA key/);
  assert.match(found, /tokenKeys\[2\] is not usable: the secret has 7 bytes/);
  assert.match(found, /tokenKeys\[3\] needs exactly one/);
  assert.match(found, /tokenKeys\[4\].sekret is not a member of a key; did you mean secret\?/);
  assert.match(found, /tokenKeys\[5\].publicKeyFile cannot be read/);
  assert.doesNotMatch(found, /hunter2|a-secret-of/);

  const sound = { tokenKeys: tokenKeys.slice(0, 1) };
  const good = await load(t, { env: {}, files: { 'key.pem': pem, 'tutti.config.json': JSON.stringify(sound) } });
  assert.deepEqual(problems(good), []);
  assert.deepEqual(good.settings.tokenKeys, [{ alg: 'EdDSA', kid: 'one', publicKey: pem }]);
});

test('a TypeScript file may hold methods', async (t) => {
  const content = `const port: number = 81;
export default { port, nodeName: undefined, rpc: { add: (data: { a: number; b: number }) => data.a + data.b } };`;
  const config = await load(t, { files: { 'tutti.config.ts': content, 'tutti.config.json': '{"port":82}' } });
  assert.deepEqual(problems(config), []);
  assert.equal(config.settings.port, 81);
  assert.equal(config.rpc['add']?.({ a: 1, b: 2 }, { user: '', client: '' }), 3);
});

const badFiles: [string, string, RegExp][] = [
  [
    'tutti.config.json',
    '{"port": 1,\n "tokenHmacSecret": hunter2}',
    /not JSON: expected a value \(line 2, column 21\)/,
  ],
  ['tutti.config.json', '[]', /one object of options/],
  ['tutti.config.json', '{"rpc": {"a": 1}}', /rpc.a must be a function/],
  ['tutti.config.json', '{"__proto__": {"insecure": true}}', /__proto__ is not an option/],
  ['tutti.config.js', 'export const port = 1;', /no default export/],
  ['tutti.config.js', 'throw new Error("oh dear");', /oh dear/],
  ['tutti.config.yaml', 'port: 1', /YAML is not read/],
];
for (const [name, content, reason] of badFiles) {
  test(`a file that cannot be used is a problem with its reason: ${name} ${content.slice(0, 25).replace('\n', ' ')}`, async (t) => {
    const found = problems(await load(t, { files: { [name]: content } }));
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', reason);
    assert.ok(found[0]?.includes(name));
    assert.doesNotMatch(found.join(), /hunter2/);
  });
}

test('a file that is named must be there', async (t) => {
  assert.match(problems(await load(t, { file: 'other.json' }))[0] ?? '', /other.json there is no such file/);
  assert.match(problems(await load(t, { env: { ...key, TUTTI_CONFIG: 'other.json' } }))[0] ?? '', /no such file/);
});

test('variables that Kubernetes makes beside services named tutti and tutti-… are told from settings and mistakes', async (t) => {
  const links = {
    TUTTI_SERVICE_HOST: '10.0.0.1',
    TUTTI_SERVICE_PORT: '8000',
    TUTTI_PORT: 'tcp://10.0.0.1:80',
    TUTTI_PORT_8000_TCP_ADDR: '10.0.0.1',
    TUTTI_METRICS_PORT: 'tcp://10.0.0.2:90',
    TUTTI_HEADLESS_PORT: 'udp://[fd00::1]:91',
  };
  const files = { 'tutti.config.json': '{"port": 8123, "metricsPort": 9123}' };
  const { settings, ...config } = await load(t, { files, env: { ...key, ...links } });
  assert.deepEqual(problems({ settings, ...config }), []);
  assert.deepEqual([settings.port, settings.metricsPort], [8123, 9123], 'a link is not a port');
  assert.equal((await load(t, { env: { ...key, ...links, TUTTI_PORT: '8124' } })).settings.port, 8124);
  const mistaken = problems(
    await load(t, { env: { ...key, TUTTI_PROT: 'tcp://10.0.0.1:80', TUTTI_HEADLESS_PORT: '1' } }),
  );
  assert.equal(mistaken.length, 2, mistaken.join('\n'));
});

test('variables: lists, structures, and empty ones', async (t) => {
  const env = {
    ...key,
    TUTTI_ALLOWED_ORIGINS: 'https://a.example, http://localhost:5173',
    TUTTI_NAMESPACES: '{"a":{"historySize":3}}',
    TUTTI_PORT: '',
    TUTTI_NODE_NAME: '',
    TUTTI_INSECURE: 'false',
    TUTTI_UNAUTHENTICATED_SHARE_MAX: '25%',
  };
  const config = await load(t, { env });
  assert.deepEqual(problems(config), []);
  assert.deepEqual(config.settings.allowedOrigins, ['https://a.example', 'http://localhost:5173']);
  assert.equal(config.settings.namespaces.get('a')?.historySize, 3);
  assert.equal(config.settings.port, 8000);
  assert.equal(config.settings.unauthenticatedShareMax, 0.25);
  const bad = await load(t, { env: { ...key, TUTTI_NAMESPACES: 'hunter2', TUTTI_INSECURE: 'maybe' } });
  assert.deepEqual(problems(bad).sort(), ['TUTTI_INSECURE must be true or false', 'TUTTI_NAMESPACES must be JSON']);
});

test('a value with a problem leaves the one below it in place', async (t) => {
  const config = await load(t, { files: { 'tutti.config.json': '{"port":81}' }, env: { ...key, TUTTI_PORT: '99999' } });
  assert.deepEqual(problems(config), ['TUTTI_PORT must be from 0 to 65535']);
  assert.equal(config.settings.port, 81);
});
