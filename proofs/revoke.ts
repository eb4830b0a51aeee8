import { TuttiApi } from '@tutti/api';
import { connectClient, type ConnectedClient } from '@tutti/testkit/connect-client';
import { eventually } from '@tutti/testkit/eventually';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import type { Proof } from './proof.ts';

const key = 'the-key-of-a-proof-that-may-do-all';
const channel = 'news:x';

interface Watched {
  readonly name: string;
  readonly client: ConnectedClient;
  /** Of the last publication that it was given, milliseconds of this process; 0: none. */
  lastAtMs: number;
  received: number;
}

/**
 * CON-6 from outside: three ways of revoking, under a stream of publications, on a real node. That it
 * holds when hints between nodes are lost is shown on virtual time (core/revocations.test.ts); here the node is
 * killed afterwards, and must let nobody back in.
 */
export const revoke: Proof = {
  name: 'revoke',
  shows:
    'a revoked user, token or session receives nothing after the grace, others go on, and a restart lets nobody back in (CON-6)',
  options: {
    rate: { default: 100, description: 'publications a second, all the time' },
    graceMs: { default: 1_000, description: 'revocationPollInterval of the node' },
    bystanders: { default: 20, description: 'connections that nobody revokes' },
  },
  run: async ({ rate = 0, graceMs = 0, bystanders = 0 }, say) => {
    const broken: string[] = [];
    const node = await spawnNode({
      settings: { apiKeys: [{ name: 'full', key, allow: ['*'] }], revocationPollIntervalMs: graceMs },
      namespaces: { news: { historySize: 100 } },
    });
    const api = new TuttiApi({ url: node.url, key });
    const open: ConnectedClient[] = [];
    const publishing = setInterval(
      () => void api.publish(channel, performance.now()).catch(() => undefined),
      1_000 / rate,
    );
    try {
      const watch = async (name: string, token: string): Promise<Watched> => {
        const watched = await follow(node, name, token);
        open.push(watched.client);
        return watched;
      };
      const issuedAtMs = Date.now() - 5_000;
      const tokenOf = (user: string): Promise<string> => node.token({ user, id: `id-of-${user}`, issuedAtMs });
      const names = Array.from({ length: bystanders }, (_, i) => `other-${i}`);
      const others = await Promise.all(names.map(async (user) => watch('bystander', await tokenOf(user))));
      const victims = new Map<string, { token: string; watched: Watched }>();
      for (const user of ['user', 'token', 'session']) {
        const token = await tokenOf(user);
        victims.set(user, { token, watched: await watch(user, token) });
      }
      const all = [...victims.values()].map(({ watched }) => watched);
      await eventually(() => all.every(({ received }) => received > 0), { what: 'publications for all' });
      const [client = ''] = Object.keys((await api.connections({ user: 'session' })).connections);
      const revokedAtMs = performance.now();
      await Promise.all([api.revoke({ user: 'user' }), api.revoke({ jti: 'id-of-token' }), api.revoke({ client })]);
      const before = countOf(others);
      await new Promise((resolve) => setTimeout(resolve, 3 * graceMs));
      const lateMs: Record<string, number> = {};
      for (const { name, lastAtMs, client: victim } of all) {
        lateMs[name] = Math.round(lastAtMs - revokedAtMs);
        if (lastAtMs > revokedAtMs + graceMs) broken.push(`the ${name} was served after the grace`);
        if (victim.tutti.state !== 'disconnected') broken.push(`the ${name} is ${victim.tutti.state}`);
      }
      const toOthers = countOf(others) - before;
      if (toOthers === 0) broken.push('the others were given nothing meanwhile: this shows nothing');
      say(
        `last publication, from the revocation on: ${JSON.stringify(lateMs)} ms; to ${bystanders} others: ${toOthers}`,
      );
      await node.kill();
      await node.restart();
      for (const [name, { token }] of victims) {
        const isBack = await watch(name, token).then(
          () => true,
          () => false,
        );
        if (isBack) broken.push(`the ${name} came back after the restart`);
      }
      await watch('user', await node.token({ user: 'user', issuedAtMs: Date.now() }));
      return { broken, figures: { rate, graceMs, bystanders, lastAfterRevocationMs: lateMs, toBystanders: toOthers } };
    } finally {
      clearInterval(publishing);
      for (const client of open) client.close();
      await node.close();
    }
  },
};

async function follow(node: SpawnedNode, name: string, token: string): Promise<Watched> {
  const client = await connectClient(node, { user: name, token });
  const watched: Watched = { name, client, lastAtMs: 0, received: 0 };
  const subscription = client.tutti.subscribe(channel);
  subscription.on('publication', () => {
    watched.lastAtMs = performance.now();
    watched.received += 1;
  });
  subscription.on('error', () => undefined);
  client.tutti.on('error', () => undefined);
  return watched;
}

function countOf(watched: readonly Watched[]): number {
  return watched.reduce((sum, { received }) => sum + received, 0);
}
