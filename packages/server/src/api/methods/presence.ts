import { Rejection, rejections } from '@tutti/protocol';
import type { ValuesOf } from '../fields.ts';
import { mustMayUse } from '../keys.ts';
import { method, type ApiMethod, type Call } from '../method.ts';
import { clientFields, shownClient } from './history.ts';

export const presence: ApiMethod = method({
  name: 'presence',
  summary: 'Who is in a channel.',
  params: { channel: { type: 'text', required: true, description: 'Which channel.' } },
  result: {
    presence: { type: 'map', of: clientFields, required: true, description: 'By client id.' },
  },
  async run({ channel }, call) {
    mustHavePresence(channel, call);
    const members = Object.create(null) as Record<string, ValuesOf<typeof clientFields>>;
    for (const member of await call.target.presence(channel)) members[member.client] = shownClient(member);
    return { presence: members };
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
