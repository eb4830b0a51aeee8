import { Rejection, rejections } from '@tutti/protocol';
import type { ValuesOf } from '../fields.ts';
import { mustMayUse } from '../keys.ts';
import { method, type ApiMethod, type Call } from '../method.ts';
import { clientFields, shownClient } from './history.ts';

export const presence: ApiMethod = method({
  name: 'presence',
  summary: 'Who is in a channel, on all nodes.',
  params: {
    channel: { type: 'text', required: true, description: 'Which channel.' },
    limit: {
      type: 'integer',
      min: 0,
      description: 'Most of them in one answer, at most 5000. 0, or absent: all, or an error where there are more.',
    },
    cursor: { type: 'text', description: '`next_cursor` of the answer before.' },
  },
  result: {
    presence: { type: 'map', of: clientFields, required: true, description: 'By client id.' },
    next_cursor: { type: 'text', description: 'There are more: ask again with it as `cursor`.' },
  },
  async run({ channel, limit = 0, cursor = '' }, call) {
    mustHavePresence(channel, call);
    const page = await call.target.presence(channel, limit === 0 ? undefined : { after: cursor, limit });
    const members = Object.create(null) as Record<string, ValuesOf<typeof clientFields>>;
    for (const member of page.members) members[member.client] = shownClient(member);
    const last = page.members.at(-1)?.client;
    return { presence: members, ...(page.hasMore && last !== undefined ? { next_cursor: last } : {}) };
  },
});

export const presenceStats: ApiMethod = method({
  name: 'presence_stats',
  summary: 'How many are in a channel.',
  params: { channel: { type: 'text', required: true, description: 'Which channel.' } },
  result: {
    num_clients: { type: 'integer', required: true, description: 'Connections.' },
    num_users: { type: 'integer', required: true, description: 'Distinct users.' },
  },
  async run({ channel }, call) {
    mustHavePresence(channel, call);
    const { clients, users } = await call.target.presenceStats(channel);
    return { num_clients: clients, num_users: users };
  },
});

function mustHavePresence(channel: string, { target, key }: Call): void {
  mustMayUse(key, channel);
  const { presence: isKept, name } = target.namespaceOf(channel);
  if (isKept) return;
  throw new Rejection(rejections.notAvailable, `not available: presence (option presence of namespace "${name}")`);
}
