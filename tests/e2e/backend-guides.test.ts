import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { connectClient, eventually, freePort, spawnNode, testTokenSecret, type SpawnedNode } from '@tutti/testkit';
import { root } from '../../scripts/files.ts';

// The code of docs/guides/backends, as it stands there, against a node.

const timeout = 120_000;
const apiKey = 'a-key-of-a-backend-that-is-long-enough-for-all';
const guides = join(root, 'docs/guides/backends');

/** The blocks of one language in a page, in their order. */
function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(guides, page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
}

function has(program: string, ...args: string[]): { skip: false | string } {
  return { skip: spawnSync(program, args).status === 0 ? false : `no ${[program, ...args].join(' ')} here` };
}

/** A folder with these files. Inside the repository where imports of its packages are to be found. */
function folder(t: TestContext, files: Record<string, string>, parent = tmpdir()): string {
  const path = mkdtempSync(join(parent, 'tutti-backend-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

interface Arranged {
  readonly node: SpawnedNode;
  readonly env: Record<string, string>;
}

/** The node of the guides, and the variables of the backend. */
async function arrange(t: TestContext): Promise<Arranged> {
  const node = await spawnNode({
    settings: { apiKeys: [{ name: 'shop', key: apiKey, allow: ['publish'], channels: ['orders:*'] }] },
    namespaces: { orders: { historySize: 100, allowSubscribe: 'user', allowPublish: 'nobody' } },
  });
  t.after(() => node.close());
  const { PATH = '', HOME = '' } = process.env;
  const variables = { TUTTI_URL: node.url, TUTTI_API_KEY: apiKey, TUTTI_TOKEN_HMAC_SECRET: testTokenSecret };
  return { node, env: { PATH, HOME, ...variables } };
}

/** Whoever has the token of the backend sees what the backend publishes, twice, once. */
async function judge({ node }: Arranged, token: () => Promise<string>, pay: () => Promise<unknown>): Promise<void> {
  const ann = await connectClient(node, { user: 'ann', token: await token() });
  try {
    const { events } = await ann.follow('orders:17');
    await pay();
    await pay();
    assert.deepEqual((await events.next('publication')).data, { status: 'paid' });
    const { publications } = await ann.tutti.history('orders:17', { limit: 10 });
    assert.equal(publications.length, 1, 'the second was a repetition');
  } finally {
    ann.close();
  }
}

/** A backend that serves `/token` and `/orders/:id/paid` as a process of its own. */
async function judgeServer(
  t: TestContext,
  arranged: Arranged,
  program: string,
  args: string[],
  cwd: string,
): Promise<void> {
  const port = await freePort();
  const child = spawn(program, args, {
    cwd,
    env: { ...arranged.env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const url = `http://127.0.0.1:${port}`;
  const stranger = await eventually(
    async () => {
      assert.equal(child.exitCode, null, stderr);
      return (await fetch(`${url}/token`)).status;
    },
    { withinMs: 60_000, what: 'the backend listens' },
  );
  assert.equal(stranger, 401, 'a token is for who is signed in');
  const token = async (): Promise<string> =>
    (await fetch(`${url}/token`, { headers: { Cookie: 'session=ann' } })).text();
  const pay = async (): Promise<void> => {
    const response = await fetch(`${url}/orders/17/paid`, { method: 'POST' });
    assert.equal(response.status, 200, await response.text());
  };
  await judge(arranged, token, pay);
}

test('the backend of the guide to Express makes tokens and publishes', { timeout }, async (t) => {
  const arranged = await arrange(t);
  const cwd = folder(t, { 'server.mjs': blocks('express.md', 'js')[0] ?? '' }, join(root, 'tests/e2e'));
  await judgeServer(t, arranged, process.execPath, ['server.mjs'], cwd);
});

test('the handlers of the guide to Next.js make tokens and publish', { timeout }, async (t) => {
  const arranged = await arrange(t);
  const [lib = '', token = '', paid = ''] = blocks('next.md', 'ts');
  const paths = { 'lib/tutti.ts': lib, 'app/token/route.ts': token, 'app/orders/[id]/paid/route.ts': paid };
  const cwd = folder(t, { ...paths, 'package.json': '{"type":"module"}' });
  for (const [name, value] of Object.entries(arranged.env)) {
    if (!name.startsWith('TUTTI_')) continue;
    process.env[name] = value;
    t.after(() => delete process.env[name]);
  }
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(cwd, path)).href);
  const { GET } = (await load('app/token/route.ts')) as { GET(request: Request): Response };
  const { POST } = (await load('app/orders/[id]/paid/route.ts')) as {
    POST(request: Request, context: { params: Promise<{ id: string }> }): Promise<Response>;
  };
  assert.equal(GET(new Request('http://a/token')).status, 401);
  await judge(
    arranged,
    () => GET(new Request('http://a/token', { headers: { Cookie: 'session=ann' } })).text(),
    () => POST(new Request('http://a/orders/17/paid', { method: 'POST' }), { params: Promise.resolve({ id: '17' }) }),
  );
});

test('the backend of the guide to Go makes tokens and publishes', { timeout, ...has('go', 'version') }, async (t) => {
  const arranged = await arrange(t);
  const cwd = folder(t, { 'main.go': blocks('go.md', 'go')[0] ?? '', 'go.mod': 'module backend\n\ngo 1.22\n' });
  const go = (...args: string[]): void => {
    execFileSync('go', args, { cwd, env: { ...process.env, GOFLAGS: '', GOTOOLCHAIN: 'local' } });
  };
  go('vet', '.');
  go('build', '-o', 'backend', '.');
  await judgeServer(t, arranged, join(cwd, 'backend'), [], cwd);
});

const main = `public class Main {
  public static void main(String[] args) throws Exception {
    Tutti tutti = new Tutti(System.getenv("TUTTI_URL"), System.getenv("TUTTI_API_KEY"), System.getenv("TUTTI_TOKEN_HMAC_SECRET"));
    if (args[0].equals("token")) System.out.print(tutti.connectionToken(args[1]));
    else System.out.print(tutti.publish("orders:17", "{\\"status\\":\\"paid\\"}", "order-17-paid"));
  }
}`;

test(
  'the plain Java of the guide to Spring makes tokens and publishes',
  { timeout, ...has('javac', '-version') },
  async (t) => {
    const arranged = await arrange(t);
    const cwd = folder(t, { 'Tutti.java': blocks('spring.md', 'java')[0] ?? '', 'Main.java': main });
    execFileSync('javac', ['-Werror', '-Xlint:all', 'Tutti.java', 'Main.java'], { cwd });
    const java = (...args: string[]): Promise<string> =>
      Promise.resolve(execFileSync('java', ['-cp', cwd, 'Main', ...args], { env: arranged.env, encoding: 'utf8' }));
    await judge(
      arranged,
      () => java('token', 'ann'),
      () => java('publish'),
    );
  },
);

const core = `import sys, tutti
print(tutti.connection_token("ann") if sys.argv[1] == "token" else tutti.publish("orders:17", {"status": "paid"}, "order-17-paid"), end="")
`;

test(
  'the Python of the guide to Django makes tokens and publishes',
  { timeout, ...has('python3', '--version') },
  async (t) => {
    const arranged = await arrange(t);
    const cwd = folder(t, { 'tutti.py': blocks('django.md', 'python')[0] ?? '', 'core.py': core });
    const python = (...args: string[]): Promise<string> =>
      Promise.resolve(execFileSync('python3', ['core.py', ...args], { cwd, env: arranged.env, encoding: 'utf8' }));
    await judge(
      arranged,
      () => python('token'),
      () => python('publish'),
    );
  },
);

const views = `import sys, types
from django.conf import settings
settings.configure(ALLOWED_HOSTS=["testserver"])
import django
django.setup()
from django.test import RequestFactory
import views
factory = RequestFactory()
request = factory.get("/token") if sys.argv[1] != "paid" else factory.post("/orders/17/paid")
request.user = types.SimpleNamespace(is_authenticated=sys.argv[1] != "stranger", pk="ann")
response = views.order_paid(request, "17") if sys.argv[1] == "paid" else views.token(request)
print(response.status_code if sys.argv[1] == "stranger" else response.content.decode(), end="")
`;

test(
  'the views of the guide to Django make tokens and publish',
  { timeout, ...has('python3', '-c', 'import django') },
  async (t) => {
    const arranged = await arrange(t);
    const [tutti = '', view = ''] = blocks('django.md', 'python');
    const cwd = folder(t, { 'tutti.py': tutti, 'views.py': view, 'run.py': views });
    const { PYTHONPATH = '' } = process.env;
    const python = (what: string): Promise<string> =>
      Promise.resolve(
        execFileSync('python3', ['run.py', what], { cwd, env: { ...arranged.env, PYTHONPATH }, encoding: 'utf8' }),
      );
    assert.equal(await python('stranger'), '401');
    await judge(
      arranged,
      () => python('token'),
      () => python('paid'),
    );
  },
);

test('the page of Laravel says that it was not run', () => {
  assert.match(readFileSync(join(guides, 'laravel.md'), 'utf8'), /\*\*Not run:\*\*/);
});
