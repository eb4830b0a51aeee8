import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { SeededRandom } from '@tutti/testkit/seeded-random';
import { post } from './post.ts';
import { add, type Acts, type Tally } from './tally.ts';
import { below, markOf, onlyOf, pick, randomChannel, tenants, type Tenant } from './tenants.ts';

/** The backends of both tenants in one: whatever it is asked or told must say whose it is, and hold nothing of the other. */
export class HookBackend {
  readonly url: string;
  readonly #server: Server;
  readonly #tally: Tally;

  private constructor(server: Server, port: number, tally: Tally) {
    this.#server = server;
    this.#tally = tally;
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', (asked: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      asked.on('data', (chunk: Buffer) => chunks.push(chunk));
      asked.on('end', () => this.#answer(asked.url ?? '', Buffer.concat(chunks), response));
    });
  }

  static async start(port: number, tally: Tally): Promise<HookBackend> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new HookBackend(server, port, tally);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(path: string, body: Buffer, response: ServerResponse): void {
    if (path === '/webhooks') {
      const { events } = JSON.parse(body.toString()) as { events: { tenant?: string }[] };
      for (const event of events) this.#look('webhooks', event);
      response.writeHead(204).end();
      return;
    }
    const asked = JSON.parse(body.toString()) as { tenant?: string };
    this.#look('hooks', asked);
    // What it says is of the tenant that asked, and must reach nobody else.
    const mark = markOf(asked.tenant ?? '');
    const result = path === '/rpc' || path === '/subscribe' ? { data: mark } : {};
    response.end(JSON.stringify({ result }));
  }

  #look(where: string, said: { tenant?: string }): void {
    const text = JSON.stringify(said);
    this.#tally.look(where, said.tenant, Buffer.from(text), () => text.slice(0, 200));
  }
}

export interface KnownPeer {
  readonly tenant: Tenant;
  readonly user: string;
  readonly client: string;
}

export interface ApiCaller {
  readonly url: string;
  readonly keys: Readonly<Record<Tenant, string>>;
  readonly users: Readonly<Record<Tenant, readonly string[]>>;
  readonly channels: Readonly<Record<Tenant, readonly string[]>>;
}

/** Calls the server API as the application of `tenant` might, and as one that wants what is the other's. */
export async function callApi(
  { url, keys, users, channels }: ApiCaller,
  random: SeededRandom,
  tenant: Tenant,
  peers: readonly KnownPeer[],
  { tally, acts }: { readonly tally: Tally; readonly acts: Acts },
): Promise<void> {
  const user = pick(random, users[tenant]);
  const channel = randomChannel(random, channels[tenant]);
  const data = `${markOf(tenant)}${below(random, 1_000)}`;
  const other = tenants.find((each) => each !== tenant)!;
  const victim = peers.find((peer) => peer.tenant === other && peer.client !== '');
  const calls: (() => [method: string, params: object])[] = [
    () => ['publish', { channel, data }],
    () => ['publish', { channel, data, idempotency_key: `k${below(random, 3)}` }],
    () => ['broadcast', { channels: [channel, pick(random, channels[tenant])], data }],
    () => ['subscribe', { user, channel, data }],
    () => ['presence', { channel }],
    () => ['presence_stats', { channel }],
    () => ['history', { channel, limit: 50 }],
    () => ['channels', {}],
    () => ['channels', { pattern: pick(random, ['*', 'chat:*', `${other}*`, '**']) }],
    () => ['connections', {}],
    () => ['connections', { user }],
    () => ['info', {}],
    () => ['last_seen', { users: [user, onlyOf(other)] }],
    () => [
      'batch',
      { commands: [{ history: { channel, limit: 5 } }, { publish: { channel, data } }, { connections: {} }] },
    ],
    // With the key of one, for the other.
    () => ['history', { tenant: other, channel, limit: 50 }],
    () => ['publish', { tenant: other, channel, data }],
    () => ['batch', { commands: [{ presence: { tenant: other, channel } }, { connections: { tenant: other } }] }],
    () => ['history', { channel: `${other}*chat:a`, limit: 50 }],
    () => ['revoke', { client: victim?.client ?? 'nobody' }],
    () => ['disconnect', { user: victim?.user ?? 'nobody', client: victim?.client ?? 'nobody' }],
    () => ['unsubscribe', { user, channel }],
    () => ['disconnect', { user }],
  ];
  const [method, params] = pick(random, calls)();
  if (method === 'disconnect' && !('client' in params)) acts.note(tenant, user, 'disconnect');
  if (method === 'unsubscribe') acts.note(tenant, user, 'unsubscribe');
  const { status, body } = await post(`${url}/api/${method}`, params, { 'X-API-Key': keys[tenant] });
  tally.commands += 1;
  const isRefused = status !== 200 || body.includes('"error"');
  add(isRefused ? tally.refused : tally.answered, 'api');
  tally.look('api', tenant, body, () => `${method} ${JSON.stringify(params)}: ${body.toString().slice(0, 300)}`);
  if (method === 'last_seen') mustNotKnow(onlyOf(other), body, tenant, tally);
  // Inner names are for operators.
  if (method !== 'info' && /"(acme|rival)\*/.test(body.toString()))
    tally.crossing('api', `${tenant} was told an inner name by ${method}`);
}

/** Nobody of that name was ever connected, as far as this tenant may know. */
function mustNotKnow(user: string, body: Buffer, tenant: Tenant, tally: Tally): void {
  const { result } = JSON.parse(body.toString()) as { result?: { users: Record<string, object> } };
  if (result === undefined) return;
  const said = JSON.stringify(result.users[user]);
  if (said !== '{"online":false}') tally.crossing('api', `${tenant} was told of ${user}, who is another's: ${said}`);
}
