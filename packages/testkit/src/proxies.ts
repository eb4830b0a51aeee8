import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Certificate } from './certificates.ts';
import { eventually } from './eventually.ts';
import { freePort } from './spawn-node.ts';
import { testFolder } from './test-settings.ts';

export interface ProxyOptions {
  /** Of the proxy's program, from `requireService`. */
  readonly path: string;
  /** Ports of the nodes, on 127.0.0.1. */
  readonly targets: readonly number[];
  /** Silence after which it ends a connection. Whole seconds, because not every proxy knows shorter ones. */
  readonly idleSeconds?: number;
  /** After a reload, how long connections of before may go on. */
  readonly graceSeconds?: number;
  /** It speaks TLS, and its `url` is one of `https://localhost`. */
  readonly certificate?: Certificate;
}

/** A real proxy before nodes, with the configuration of `deploy/`, on a port of its own. */
export interface RunningProxy {
  readonly name: 'nginx' | 'haproxy';
  readonly url: string;
  readonly port: number;
  /** Reads its configuration anew, as an operator has it do. Does not wait for what comes of it. */
  reload(): void;
  close(): Promise<void>;
}

const deploy = fileURLToPath(new URL('../../../deploy', import.meta.url));
const idleDefault = 60;
const graceDefault = 1;
const endMsMax = 5_000;

export interface NginxFiles extends Omit<ProxyOptions, 'path'> {
  readonly folder: string;
  readonly port: number;
}

export async function startNginx(options: ProxyOptions): Promise<RunningProxy> {
  return run('nginx', options, 'SIGHUP', (folder, port) => configureNginx({ ...options, folder, port }));
}

/** Writes nginx's files into an empty folder: the configuration of `deploy/`, on a port of 127.0.0.1. Resolves to its arguments. */
export async function configureNginx({
  folder,
  port,
  targets,
  idleSeconds = idleDefault,
  graceSeconds = graceDefault,
  certificate,
}: NginxFiles): Promise<string[]> {
  const conf = changed(await readFile(join(deploy, 'nginx/tutti.conf'), 'utf8'), [
    ...(certificate === undefined
      ? ([[/listen 80;/g, `listen 127.0.0.1:${port};`]] as const)
      : ([
          [/^  listen 80;\n/gm, ''],
          [/^  # ((?:listen|ssl_\w+) .*;)$/gm, '  $1'],
          [/listen 443 /g, `listen 127.0.0.1:${port} `],
          [/\/etc\/nginx\/tutti\.pem/g, certificate.certFile],
          [/\/etc\/nginx\/tutti-key\.pem/g, certificate.keyFile],
        ] as const)),
    [/^.*server 127\.0\.0\.1:8000(.*)$/gm, targets.map((each) => `server 127.0.0.1:${each}$1`).join('\n')],
    [/(proxy_(?:read|send)_timeout) 60s/g, `$1 ${idleSeconds}s`],
  ]);
  await mkdir(join(folder, 'logs'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const main = [
    'daemon off;',
    'worker_processes 1;',
    `worker_shutdown_timeout ${graceSeconds}s;`,
    `pid ${folder}/nginx.pid;`,
    'error_log stderr warn;',
    // Its workers would be nobody, who cannot enter the folder.
    ...(process.getuid?.() === 0 ? ['user root root;'] : []),
    'events { worker_connections 4096; }',
    'http {',
    'access_log off;',
    ...temporary.map((name) => `${name}_temp_path ${folder}/${name};`),
    conf,
    '}',
  ];
  await writeFile(join(folder, 'nginx.conf'), main.join('\n'));
  return ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
}

export async function startHaproxy(options: ProxyOptions): Promise<RunningProxy> {
  const { targets, idleSeconds = idleDefault, graceSeconds = graceDefault, certificate } = options;
  return run('haproxy', options, 'SIGUSR2', async (folder, port) => {
    const both = join(folder, 'tutti.pem');
    if (certificate !== undefined) {
      const parts = await Promise.all([readFile(certificate.certFile, 'utf8'), readFile(certificate.keyFile, 'utf8')]);
      await writeFile(both, parts.join('\n'));
    }
    const conf = changed(await readFile(join(deploy, 'haproxy/haproxy.cfg'), 'utf8'), [
      ...(certificate === undefined
        ? ([[/bind :80$/gm, `bind 127.0.0.1:${port}`]] as const)
        : ([
            [/^  bind :80\n/gm, ''],
            [/^  # (bind :443 .*)$/gm, '  $1'],
            [/bind :443 /g, `bind 127.0.0.1:${port} `],
            [/\/etc\/haproxy\/tutti\.pem/g, both],
          ] as const)),
      [/^.*server node1 .*$/gm, targets.map((each, i) => `  server node${i + 1} 127.0.0.1:${each}`).join('\n')],
      [/(timeout (?:client|server|tunnel)) 60s/g, `$1 ${idleSeconds}s`],
      [/hard-stop-after 10m/g, `hard-stop-after ${graceSeconds}s`],
      // Of one process that may open as many files as this one.
      [/maxconn 50000/g, 'maxconn 2000'],
    ]);
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, conf);
    return ['-W', '-db', '-f', file];
  });
}

/** Each pattern must be found: a configuration that went another way is not tested by accident. */
function changed(text: string, changes: readonly (readonly [RegExp, string])[]): string {
  for (const [pattern, by] of changes) {
    if (text.search(pattern) < 0) throw new Error(`the configuration has no ${String(pattern)} any more`);
    text = text.replaceAll(pattern, by);
  }
  return text;
}

async function run(
  name: RunningProxy['name'],
  { path, certificate }: ProxyOptions,
  reloadSignal: NodeJS.Signals,
  configure: (folder: string, port: number) => Promise<string[]>,
): Promise<RunningProxy> {
  const folder = await testFolder();
  const port = await freePort();
  const args = await configure(folder.path, port);
  const child = spawn(path, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-16_384)));
  const close = async (): Promise<void> => {
    await end(child);
    await folder.remove();
  };
  try {
    await eventually(() => {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: ${stderr}`);
      return isListening(port);
    });
  } catch (error) {
    await close();
    throw error;
  }
  const url = certificate === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  return { name, url, port, reload: () => void child.kill(reloadSignal), close };
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
  });
  socket.destroy();
  return isOpen;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), endMsMax);
  await exited;
  clearTimeout(timer);
}
