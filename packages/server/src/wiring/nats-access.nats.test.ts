import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { nkeys } from '@nats-io/transport-node';
import { startNatsCluster } from '@tutti/testkit';
import { certificatesMissing, TestAuthority, type Certificate } from '@tutti/testkit/certificates';
import { natsOperator } from '@tutti/testkit/nats-operator';
import { requireService } from '@tutti/testkit/services';
import { becomesReady, saysWhatToDo, start } from './testing/node-on-engine.ts';

const timeout = 60_000;
const nats = await requireService('nats-server');
const missing = 'skip' in nats ? nats.skip : await certificatesMissing();
const skip = missing === undefined ? {} : { skip: missing };
const program = 'path' in nats ? nats.path : '';
const secret = 's3cret-of-a-test/%';
const user = `ann:${encodeURIComponent(secret)}`;

let certificates: { readonly caFile: string; readonly server: Certificate; readonly client: Certificate };
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-credentials-'));
  if (missing !== undefined) return;
  const authority = await TestAuthority.make(folder);
  const [server, client] = [authority.issue('IP:127.0.0.1'), authority.issue()];
  certificates = { caFile: authority.certFile, server, client };
});
after(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function serve(t: TestContext, extra: string): Promise<string> {
  const cluster = await startNatsCluster({ program, extra });
  t.after(() => cluster.close());
  return `127.0.0.1:${cluster.servers[0]?.port}`;
}

const tls = (): string =>
  `cert_file: ${JSON.stringify(certificates.server.certFile)}, key_file: ${JSON.stringify(certificates.server.keyFile)}, ca_file: ${JSON.stringify(certificates.caFile)}`;
const byPassword = `authorization { user: ann, password: ${JSON.stringify(secret)} }`;

test('NATS with TLS, a user and a password', { ...skip, timeout }, async (t) => {
  const at = await serve(t, `tls { ${tls()} }\n${byPassword}`);
  const engineCaFile = certificates.caFile;
  await becomesReady(await start(t, { engine: `tls://${user}@${at}`, engineCaFile }));
  const untrusting = await start(t, { engine: `tls://${user}@${at}` });
  await saysWhatToDo(untrusting, /set engineCaFile to the PEM file/, secret, encodeURIComponent(secret));
  const elsewhere = await start(t, { engine: `tls://${user}@${at.replace('127.0.0.1', 'localhost')}`, engineCaFile });
  await saysWhatToDo(elsewhere, /its certificate is for another host/, secret);
});

test('NATS does not accept the password: said, and never shown (S29)', { ...skip, timeout }, async (t) => {
  const at = await serve(t, byPassword);
  const wrong = await start(t, { engine: `nats://ann:wrong-one@${at}` });
  await saysWhatToDo(wrong, /does not accept the user and password in engine/, 'wrong-one');
  await saysWhatToDo(await start(t, { engine: `nats://${at}` }), /asks who this node is/);
});

test('NATS asks for a certificate of the node', { ...skip, timeout }, async (t) => {
  const at = await serve(t, `tls { ${tls()}, verify: true }`);
  const { caFile: engineCaFile, client } = certificates;
  const engine = `tls://${at}`;
  const shown = { engineCertFile: client.certFile, engineKeyFile: client.keyFile };
  await becomesReady(await start(t, { engine, engineCaFile, ...shown }));
  await saysWhatToDo(await start(t, { engine, engineCaFile }), /set engineCertFile and engineKeyFile/);
});

test('NATS with a token', { ...skip, timeout }, async (t) => {
  const at = await serve(t, `authorization { token: ${JSON.stringify(secret)} }`);
  await becomesReady(await start(t, { engine: `nats://${encodeURIComponent(secret)}@${at}` }));
  const wrong = await start(t, { engine: `nats://wrong-one@${at}` });
  await saysWhatToDo(wrong, /does not accept the token in engine/, 'wrong-one');
});

test('NATS with a credentials file, of a user and of a stranger', { ...skip, timeout }, async (t) => {
  const [operator, stranger] = [natsOperator(nkeys), natsOperator(nkeys)];
  const at = await serve(t, operator.extra);
  const [file, strangerFile] = [join(folder, 'node.creds'), join(folder, 'stranger.creds')];
  await writeFile(file, operator.credentials);
  await writeFile(strangerFile, stranger.credentials);
  await becomesReady(await start(t, { engine: `nats://${at}`, engineCredentialsFile: file }));
  const wrong = await start(t, { engine: `nats://${at}`, engineCredentialsFile: strangerFile });
  await saysWhatToDo(wrong, /does not accept what is in engineCredentialsFile/, stranger.seed);
});

test('NATS with an nkey: its seed in the credentials file', { ...skip, timeout }, async (t) => {
  const key = nkeys.createUser();
  const at = await serve(t, `authorization { users: [ { nkey: ${key.getPublicKey()} } ] }`);
  const file = join(folder, 'node.nk');
  await writeFile(file, `${Buffer.from(key.getSeed()).toString()}\n`);
  await becomesReady(await start(t, { engine: `nats://${at}`, engineCredentialsFile: file }));
});

test('a credentials file that is none is refused at start, and not repeated', { ...skip, timeout }, async (t) => {
  const file = join(folder, 'other.txt');
  await writeFile(file, 'another-secret');
  const starting = start(t, { engine: 'nats://127.0.0.1:4222', engineCredentialsFile: file });
  await assert.rejects(starting, (error: Error) => {
    assert.match(error.message, /holds neither a \.creds file of NATS nor the seed/);
    assert.ok(!error.message.includes('another-secret'));
    return true;
  });
});

test('S29: with tls:// nothing is shown to a server that speaks no TLS', { ...skip, timeout }, async (t) => {
  const heard: string[] = [];
  const info = {
    server_id: 'x',
    version: '2.15.2',
    proto: 1,
    headers: true,
    max_payload: 1_048_576,
    auth_required: true,
  };
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => heard.push(bytes.toString('latin1')));
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const node = await start(t, { engine: `tls://${user}@127.0.0.1:${port}` });
  await saysWhatToDo(node, /speaks no TLS/, secret);
  assert.ok(!heard.join('').includes(secret), 'the password was sent in the clear');
});
