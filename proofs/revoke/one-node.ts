import { TuttiApi } from '@tutti/api';
import { eventually } from '@tutti/testkit/eventually';
import { spawnNode } from '@tutti/testkit/spawn-node';
import type { Verdict } from '../proof.ts';
import { pause } from '../waiting.ts';
import { apiKey, channel, countOf, publishing, subjects, watch, type Subject, type Watched } from './watched.ts';

export interface RevokeWanted {
  readonly rate: number;
  readonly graceMs: number;
  readonly bystanders: number;
}

/** Three ways of revoking, under a stream of publications; then the node is killed, and must let nobody back in. */
export async function revokeOnOneNode(wanted: RevokeWanted, say: (line: string) => void): Promise<Verdict> {
  const { rate, graceMs, bystanders } = wanted;
  const broken: string[] = [];
  const node = await spawnNode({
    settings: { apiKeys: [{ name: 'full', key: apiKey, allow: ['*'] }], revocationPollIntervalMs: graceMs },
    namespaces: { news: { historySize: 100 } },
  });
  const api = new TuttiApi({ url: node.url, key: apiKey });
  const open: Watched[] = [];
  const stop = publishing(() => api.publish(channel, performance.now()), rate);
  try {
    const follow = async (user: string, token: string): Promise<Watched> => {
      const watched = await watch(node, user, token);
      open.push(watched);
      return watched;
    };
    const issuedAtMs = Date.now() - 5_000;
    const tokenOf = (user: string): Promise<string> => node.token({ user, id: `id-of-${user}`, issuedAtMs });
    const names = Array.from({ length: bystanders }, (_, i) => `other-${i}`);
    const others = await Promise.all(names.map(async (user) => follow(user, await tokenOf(user))));
    const victims = new Map<Subject, { token: string; watched: Watched }>();
    for (const subject of subjects) {
      const token = await tokenOf(subject);
      victims.set(subject, { token, watched: await follow(subject, token) });
    }
    await eventually(() => open.every(({ received }) => received > 0), { what: 'publications for all' });
    const client = victims.get('session')?.watched.client.tutti.client ?? '';
    const revokedAtMs = performance.now();
    await Promise.all([api.revoke({ user: 'user' }), api.revoke({ jti: 'id-of-token' }), api.revoke({ client })]);
    const before = countOf(others);
    await pause(3 * graceMs);
    const lastAfterRevocationMs: Record<string, number> = {};
    for (const [subject, { watched }] of victims) {
      lastAfterRevocationMs[subject] = Math.round(watched.lastAtMs - revokedAtMs);
      if (watched.lastAtMs > revokedAtMs + graceMs) broken.push(`the ${subject} was served after the grace`);
      const { state } = watched.client.tutti;
      if (state !== 'disconnected') broken.push(`the ${subject} is ${state}`);
    }
    const toBystanders = countOf(others) - before;
    if (toBystanders === 0) broken.push('the others were given nothing meanwhile: this shows nothing');
    const last = JSON.stringify(lastAfterRevocationMs);
    say(`last publication, from the revocation on: ${last} ms; to ${bystanders} others: ${toBystanders}`);
    await node.kill();
    await node.restart();
    for (const [subject, { token }] of victims) {
      const isBack = await follow(subject, token).then(
        () => true,
        () => false,
      );
      if (isBack) broken.push(`the ${subject} came back after the restart`);
    }
    await follow('user', await node.token({ user: 'user', issuedAtMs: Date.now() }));
    return { broken, figures: { lastAfterRevocationMs, toBystanders } };
  } finally {
    stop();
    for (const { client } of open) client.close();
    await node.close();
  }
}
