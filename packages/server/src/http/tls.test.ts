import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { certificatesMissing, eventually, TestAuthority, type Certificate } from '@tutti/testkit';
import { testFolder } from '@tutti/testkit/test-settings';
import { Fault } from '../core/fault.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { nullLog } from '../telemetry/null-telemetry.ts';
import { HttpServer, type HttpOptions } from './http-server.ts';

const skip = (await certificatesMissing()) ?? false;
const timeout = 30_000;
const seams = { clock: new SystemClock(), log: nullLog };

interface Scene {
  readonly folder: string;
  readonly authority: TestAuthority;
  readonly certificate: Certificate;
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = await testFolder();
  t.after(() => folder.remove());
  const authority = await TestAuthority.make(folder.path);
  return { folder: folder.path, authority, certificate: authority.issue() };
}

async function start(t: TestContext, options: Partial<HttpOptions>): Promise<HttpServer> {
  const server = new HttpServer({ host: '127.0.0.1', port: 0, ...options }, seams);
  await server.listen();
  t.after(() => server.close());
  return server;
}

/** Resolves when there is TLS; rejects with why there is none. */
async function handshake({ port }: HttpServer, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** The status line of an answer to `/health`. */
async function health(socket: TLSSocket): Promise<string> {
  socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString().split('\r\n', 1)[0] ?? '';
}

test('S33: TLS 1.2 and 1.3 are spoken, and nothing older', { skip, timeout }, async (t) => {
  const { certificate, authority } = await scene(t);
  const server = await start(t, { certificate });
  const ca = await readFile(authority.certFile);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = await handshake(server, {
      ...{ minVersion: version, maxVersion: version, ca, rejectUnauthorized: true, servername: 'localhost' },
    });
    assert.equal(socket.getProtocol(), version);
    assert.equal(await health(socket), 'HTTP/1.1 200 OK');
  }
  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    // It is the server that says no.
    await assert.rejects(handshake(server, old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  }
});

test('S33: a handshake that does not end is cut off, and so is what is no TLS', { skip, timeout }, async (t) => {
  const { certificate } = await scene(t);
  const server = await start(t, { certificate, handshakeTimeoutMs: 200 });
  // A hand-shake record that is never whole, nothing at all, HTTP, and what means nothing.
  for (const first of [
    '\u0016\u0003\u0001\u0002\u0000',
    '',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    '\u0080\u0001\r\n'.repeat(9),
  ]) {
    const socket = connectPlain(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    if (first !== '') socket.write(first, 'latin1');
    await once(socket, 'close');
  }
  assert.equal(await health(await handshake(server)), 'HTTP/1.1 200 OK');
});

test('S33: a renewed certificate is taken, one that is not sound is not', { skip, timeout }, async (t) => {
  const { certificate, authority, folder } = await scene(t);
  const used = { certFile: join(folder, 'used.pem'), keyFile: join(folder, 'used-key.pem') };
  const use = async ({ certFile, keyFile }: Certificate): Promise<void> => {
    await copyFile(certFile, used.certFile);
    await copyFile(keyFile, used.keyFile);
  };
  await use(certificate);
  const server = await start(t, { certificate: used, certificateCheckMs: 10 });
  const name = async (): Promise<string> => {
    const socket = await handshake(server);
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return String(subject.CN);
  };
  assert.equal(await name(), 'node-1');
  const before = await handshake(server);
  const next = authority.issue();
  // For a while the two do not belong together.
  await copyFile(next.certFile, used.certFile);
  assert.equal(await name(), 'node-1');
  await copyFile(next.keyFile, used.keyFile);
  await eventually(async () => (await name()) === 'node-2');
  assert.equal(await health(before), 'HTTP/1.1 200 OK', 'connections of before go on');
  await writeFile(used.certFile, 'no certificate');
  assert.equal(await name(), 'node-2');
  await use(authority.issue());
  await eventually(async () => (await name()) === 'node-3');
});

test('a certificate that cannot be used stops the start with a reason', { skip, timeout }, async (t) => {
  const { certificate, authority, folder } = await scene(t);
  const refused = (reason: RegExp) => (error: unknown) => error instanceof Fault && reason.test(error.message);
  const made = (each: Certificate) => () => new HttpServer({ host: '127.0.0.1', port: 0, certificate: each }, seams);
  const missing = join(folder, 'missing.pem');
  assert.throws(made({ ...certificate, certFile: missing }), refused(/^tlsCertFile: .*missing\.pem cannot be read/));
  assert.throws(made({ ...certificate, keyFile: missing }), refused(/^tlsKeyFile: .*missing\.pem cannot be read/));
  const { keyFile } = authority.issue();
  assert.throws(made({ ...certificate, keyFile }), refused(/cannot be used together: .*mismatch/));
});
