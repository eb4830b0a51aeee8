import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { createServer, type HookFunctions } from '@tutti/server';
import express, { type Request } from 'express';

/**
 * A small shop with orders, as one has it before it needs to be live: users log in with a cookie, and change
 * orders over plain HTTP. What Tutti adds: everybody who looks at an order sees it change.
 */

interface Order {
  readonly id: string;
  readonly owner: string;
  status: 'placed' | 'packed' | 'sent';
}

const users = new Map<string, string>(); // session → user
const orders = new Map<string, Order>([
  ['1', { id: '1', owner: 'ann', status: 'placed' }],
  ['2', { id: '2', owner: 'bob', status: 'placed' }],
]);
const statuses: ReadonlySet<string> = new Set(['placed', 'packed', 'sent']);

function userOf(cookie: string | undefined): string | undefined {
  const session = /(?:^|; )sid=([\w-]+)/.exec(cookie ?? '')?.[1];
  return session === undefined ? undefined : users.get(session);
}

const app = express();
app.use(express.json());
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));
// The SDK, without a bundler: its sources without their types. In production bundle it with your own code.
app.get(/^\/sdk\/(client|protocol)\/([\w/-]+\.ts)$/, (request, response) => {
  const file = new URL(`../../packages/${request.params['0'] ?? ''}/src/${request.params['1'] ?? ''}`, import.meta.url);
  response.type('text/javascript').send(stripTypeScriptTypes(readFileSync(file, 'utf8')));
});

app.post('/login', (request: Request<object, unknown, { name?: unknown } | undefined>, response) => {
  const name = request.body?.name;
  if (typeof name !== 'string' || !/^[a-z]{1,20}$/.test(name)) {
    response.status(400).json({ error: 'a name has 1 to 20 of the letters a to z' });
    return;
  }
  const session = randomUUID();
  users.set(session, name);
  response.cookie('sid', session, { httpOnly: true, sameSite: 'lax' }).json({ name });
});

app.get('/orders', (request, response) => {
  const user = userOf(request.headers.cookie);
  response.json([...orders.values()].filter(({ owner }) => owner === user));
});

// As the warehouse calls it; it has its own way to log in, which is left out here.
app.post(
  '/orders/:id/status',
  async (request: Request<{ id: string }, unknown, { status?: unknown } | undefined>, response) => {
    const order = orders.get(request.params.id);
    const status = request.body?.status;
    if (order === undefined || typeof status !== 'string' || !statuses.has(status)) {
      response.status(400).json({ error: 'no such order, or no such status' });
      return;
    }
    order.status = status as Order['status'];
    await tutti.publish(`orders:${order.id}`, order);
    response.json(order);
  },
);

/** Who may do what is the application's to say: here by the cookie that its own login made. */
const hooks: HookFunctions = {
  connect: ({ headers }) => {
    const user = userOf(headers['cookie']);
    return user === undefined ? { disconnect: { code: 4_501, reason: 'log in first' } } : { user };
  },
  subscribe: ({ user, channel }) => {
    const order = orders.get(channel.slice('orders:'.length));
    if (order?.owner !== user) return { error: { code: 403, message: 'not your order' } };
    return { data: order };
  },
  // Comments pass through here on their way: checked, and signed with who wrote them.
  publish: ({ user, data }) => {
    const text = typeof data === 'object' && data !== null ? (data as { text?: unknown }).text : undefined;
    if (typeof text !== 'string' || text.trim() === '') return { error: { code: 422, message: 'a comment has text' } };
    return { data: { from: user, text: text.trim().slice(0, 200) } };
  },
  disconnect: ({ user, code }) => console.log(`${user} is gone (${code})`),
};

const server = createHttpServer(app);
const tutti = await createServer({
  server,
  hooks,
  config: {
    hookHeaders: ['cookie'],
    logLevel: 'warn',
    namespaces: {
      orders: { historySize: 20, subscribeHook: true },
      comments: { historySize: 50, allowSubscribe: 'user', publishHook: true },
    },
  },
});

server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  console.log(`the shop is at ${tutti.url.replace('/tutti', '')}`);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // Clients first: they come back to another process, or to this one's successor.
    void tutti.drain().then(() => server.close(() => process.exit(0)));
  });
}
