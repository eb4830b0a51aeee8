import { disconnects, Rejection, rejections, type DisconnectKind } from '@tutti/protocol';
import { validateJson } from '@tutti/protocol/json';
import { apiBounds, type Whose } from '../contract.ts';
import type { FieldTable } from '../fields.ts';
import { mustMayUse } from '../keys.ts';
import { method, type ApiMethod } from '../method.ts';
import { positionFields } from './history.ts';
import { silentField, silentNodes } from './silent-nodes.ts';

const whoseFields = {
  user: { type: 'text', description: 'All connections of this user.' },
  client: { type: 'text', description: 'Only the connection with this client id.' },
  session: { type: 'refused', description: 'name the connection by client' },
} as const satisfies FieldTable;

/** Seconds since 1970 that are surely no milliseconds. */
export const secondsMax = 100_000_000_000;

export const subscribe: ApiMethod = method({
  name: 'subscribe',
  summary: 'Subscribes connections to a channel, as long as they last. Those in it already stay as they are.',
  params: {
    channel: { type: 'text', required: true, description: 'Which channel.' },
    ...whoseFields,
    info: { type: 'json', description: 'Shown to others as `chan_info`.' },
    b64info: { type: 'base64', description: '`info` as bytes in base64; they must be JSON.' },
    data: { type: 'json', description: 'Handed to the client with the news.' },
    b64data: { type: 'base64', description: '`data` as bytes in base64; they must be JSON.' },
    expire_at: { type: 'integer', max: secondsMax, description: 'When it ends, seconds since 1970; 0: never.' },
    recover_since: { type: 'object', fields: positionFields, description: 'What came after it is sent first.' },
    override: { type: 'refused', description: 'the options of the namespace hold' },
  },
  result: silentField,
  async run({ channel, info, b64info, data, b64data, expire_at: expireAt = 0, recover_since: since, ...rest }, call) {
    mustMayUse(call.key, channel);
    const shown = info ?? checkedJson('b64info', b64info);
    const handed = data ?? checkedJson('b64data', b64data);
    const heard = await call.target.subscribe(whoseOf(rest), channel, {
      ...(shown === undefined ? {} : { info: shown }),
      ...(handed === undefined ? {} : { data: handed }),
      ...(expireAt === 0 ? {} : { expiresAtMs: expireAt * 1_000 }),
      ...(since === undefined ? {} : { recoverSince: { offset: since.offset ?? 0, epoch: since.epoch ?? '' } }),
    });
    return silentNodes(heard);
  },
});

export const unsubscribe: ApiMethod = method({
  name: 'unsubscribe',
  summary: 'Ends subscriptions of a user to a channel. Clients do not subscribe again by themselves.',
  params: { channel: { type: 'text', required: true, description: 'Which channel.' }, ...whoseFields },
  result: silentField,
  async run({ channel, ...rest }, call) {
    mustMayUse(call.key, channel);
    return silentNodes(await call.target.unsubscribe(whoseOf(rest), channel));
  },
});

export const disconnect: ApiMethod = method({
  name: 'disconnect',
  summary: 'Ends connections of a user. By default for good; the code says whether the clients come back.',
  params: {
    ...whoseFields,
    whitelist: {
      type: 'texts',
      countMax: apiBounds.whitelistMax,
      description: 'Client ids of connections that go on.',
    },
    disconnect: {
      type: 'object',
      fields: {
        code: {
          type: 'integer',
          min: 0,
          max: 4_999,
          description: 'From 3000; 3000-3499 and 4000-4499: the client comes back.',
        },
        reason: { type: 'text', bytesMax: apiBounds.reasonBytesMax, description: 'Told to the client.' },
      },
      description: 'Default: 3503, force disconnect.',
    },
  },
  result: silentField,
  async run({ whitelist = [], disconnect: kind, ...rest }, call) {
    const told = kind === undefined ? undefined : kindOf(kind);
    return silentNodes(await call.target.disconnect(whoseOf(rest), told, whitelist));
  },
});

export const refresh: ApiMethod = method({
  name: 'refresh',
  summary: 'Moves the end of the credentials of connections, or ends them as expired.',
  params: {
    ...whoseFields,
    expired: { type: 'boolean', description: 'Now: the clients are closed with 3005, and come back with new ones.' },
    expire_at: { type: 'integer', max: secondsMax, description: 'The new end, seconds since 1970.' },
    info: { type: 'json', description: 'Shown as `conn_info` from the next join on.' },
  },
  result: silentField,
  async run({ expired = false, expire_at: expireAt = 0, info, ...rest }, call) {
    const whose = whoseOf(rest);
    if (expired) return silentNodes(await call.target.disconnect(whose, disconnects.connectionExpired, []));
    if (expireAt > 0) return silentNodes(await call.target.refresh(whose, expireAt * 1_000, info));
    throw new Rejection(rejections.badRequest, 'needs expire_at, or expired');
  },
});

function whoseOf({ user, client }: { user?: string | undefined; client?: string | undefined }): Whose {
  if (user === undefined && client === undefined) {
    throw new Rejection(rejections.badRequest, 'needs user, or client');
  }
  return { ...(user === undefined ? {} : { user }), ...(client === undefined ? {} : { client }) };
}

function kindOf({ code = 0, reason }: { code?: number | undefined; reason?: string | undefined }): DisconnectKind {
  if (code === 0) return { ...disconnects.forceDisconnect, ...(reason === undefined ? {} : { reason }) };
  if (code < 3_000) throw new Rejection(rejections.badRequest, 'a code is from 3000 to 4999');
  return { code, reason: reason ?? '', meaning: 'The application ended the connection.' };
}

function checkedJson(name: string, bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === undefined) return undefined;
  try {
    validateJson(bytes);
    return bytes;
  } catch {
    throw new Rejection(rejections.badRequest, `${name} is no JSON`);
  }
}
