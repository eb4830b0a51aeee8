import { Rejection, rejections } from '@tutti/protocol';
import type { WantedRevocation } from '../contract.ts';
import type { ValuesOf } from '../fields.ts';
import { method, type ApiMethod } from '../method.ts';
import { secondsMax } from './users.ts';

const params = {
  user: { type: 'text', description: 'All that this user was given until `issued_before`.' },
  jti: { type: 'text', description: 'One token, by its claim `jti`.' },
  client: { type: 'text', description: 'One connection, by its client id, and the token that it came with.' },
  issued_before: {
    type: 'integer',
    max: secondsMax,
    description: 'With `user`: tokens with a later `iat` stay good. Seconds since 1970; absent: now.',
  },
  expire_at: {
    type: 'integer',
    max: secondsMax,
    description: 'With `jti`: when the token expires by itself, so that this can be forgotten. Seconds since 1970.',
  },
} as const;

export const revoke: ApiMethod = method({
  name: 'revoke',
  summary: 'Ends what a user, a token or a connection was allowed, and keeps it from coming back with the same token.',
  params,
  result: {
    expire_at: { type: 'integer', description: 'When it is forgotten, seconds since 1970. Absent: never.' },
  },
  async run(values, { target }) {
    const endsAtMs = await target.revoke(wantedOf(values));
    return endsAtMs === undefined ? {} : { expire_at: Math.ceil(endsAtMs / 1_000) };
  },
});

function wantedOf({
  user,
  jti,
  client,
  issued_before: before,
  expire_at: end,
}: ValuesOf<typeof params>): WantedRevocation {
  const given = [user, jti, client].filter((subject) => subject !== undefined);
  const [subject] = given;
  if (given.length !== 1 || subject === undefined) throw bad('needs exactly one of user, jti and client');
  if (before !== undefined && user === undefined) throw bad('issued_before goes with user');
  if (end !== undefined && jti === undefined) throw bad('expire_at goes with jti');
  if (user !== undefined)
    return { what: 'user', subject, ...(before === undefined ? {} : { issuedBeforeMs: before * 1_000 }) };
  if (client !== undefined) return { what: 'session', subject };
  return { what: 'token', subject, ...(end === undefined ? {} : { expiresAtMs: end * 1_000 }) };
}

function bad(message: string): Rejection {
  return new Rejection(rejections.badRequest, message);
}
