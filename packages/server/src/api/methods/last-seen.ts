import { Rejection, rejections } from '@tutti/protocol';
import { apiBounds } from '../contract.ts';
import type { FieldTable, ValuesOf } from '../fields.ts';
import { method, type ApiMethod } from '../method.ts';
import { silentField, silentNodes } from './silent-nodes.ts';

const seenFields = {
  online: { type: 'boolean', required: true, description: 'Connected to any node now.' },
  last_seen: {
    type: 'integer',
    description:
      'When the last connection ended, milliseconds since 1970. Absent: online, never seen, or longer ago than it is kept.',
  },
} as const satisfies FieldTable;

export const lastSeen: ApiMethod = method({
  name: 'last_seen',
  summary: 'Which users are connected to any node, and when the others last were.',
  params: {
    users: {
      type: 'texts',
      required: true,
      countMax: apiBounds.lastSeenUsersMax,
      description: `Names of users, at most ${apiBounds.lastSeenUsersMax}.`,
    },
  },
  result: {
    users: { type: 'map', of: seenFields, required: true, description: 'Each user that was asked for, by name.' },
    ...silentField,
  },
  async run({ users }, { target }) {
    const names = [...new Set(users)];
    for (const name of names) mustBeName(name);
    const found = await target.lastSeen(names);
    // Without a prototype: users may have any name (S12).
    const shown = Object.create(null) as Record<string, ValuesOf<typeof seenFields>>;
    for (const [i, name] of names.entries()) {
      const { isOnline: online = false, lastSeenMs } = found.users[i] ?? {};
      shown[name] = { online, ...(lastSeenMs === undefined ? {} : { last_seen: lastSeenMs }) };
    }
    return { users: shown, ...silentNodes(found) };
  },
});

export const lastSeenRemove: ApiMethod = method({
  name: 'last_seen_remove',
  summary: 'Forgets when a user was last connected. Of one who still is, it is kept anew.',
  params: {
    user: { type: 'text', required: true, bytesMax: apiBounds.userBytesMax, description: 'Whose.' },
  },
  result: silentField,
  async run({ user }, { target }) {
    return silentNodes(await target.forgetSeen(user));
  },
});

function mustBeName(user: string): void {
  if (user !== '' && Buffer.byteLength(user) <= apiBounds.userBytesMax) return;
  const message = `a user in users has 1 to ${apiBounds.userBytesMax} bytes; those without a name are not kept`;
  throw new Rejection(rejections.badRequest, message);
}
