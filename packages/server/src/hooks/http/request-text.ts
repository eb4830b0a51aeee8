import { validateJson } from '@tutti/protocol/json';
import type { ChannelAsk, ConnectAsk, HookAsk, HookName, PublishAsk, RpcAsk, SubscribeAsk } from '../hooks.ts';

type AnyAsk = HookAsk & Partial<Omit<ConnectAsk & ChannelAsk & SubscribeAsk & PublishAsk & RpcAsk, keyof HookAsk>>;

/**
 * The body of a request: names as backends of this protocol know them, and some of our own. Payloads stand in
 * it as they came, so that no number is rounded on the way; those that are no JSON, in base64.
 */
export function requestText(hook: HookName, ask: AnyAsk): string {
  const { client, transport, codec, remoteAddress, lagBytes, lagMs, channel, method, key, idempotencyKey } = ask;
  const isJson = ask.payload !== 'binary' && isJsonText(ask.data);
  const isKnown = hook !== 'connect' || ask.isVerified === true;
  const members: [name: string, text: string | undefined][] = [
    ['client', quoted(client)],
    ['transport', quoted(transport)],
    ['protocol', quoted(codec)],
    ['encoding', quoted(isJson ? 'json' : 'binary')],
    ['user', isKnown ? quoted(ask.user) : undefined],
    ['tenant', quoted(ask.tenant)],
    ['channel', quoted(channel)],
    ['method', quoted(method)],
    ['name', quoted(ask.name)],
    ['version', quoted(ask.version)],
    ['key', quoted(key)],
    ['idempotency_key', quoted(idempotencyKey)],
    ['meta', textOf(ask.meta)],
    [isJson ? 'data' : 'b64data', isJson ? textOf(ask.data) : quoted(base64(ask.data))],
    ['remote_address', quoted(remoteAddress)],
    ['lag_bytes', String(lagBytes)],
    ['lag_ms', lagMs === undefined ? undefined : String(Math.round(lagMs))],
  ];
  const written = members.flatMap(([name, text]) => (text === undefined ? [] : [`"${name}":${text}`]));
  return `{${written.join(',')}}`;
}

function quoted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : JSON.stringify(text);
}

function isJsonText(bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined || bytes.length === 0) return true;
  try {
    validateJson(bytes);
    return true;
  } catch {
    return false;
  }
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : Buffer.from(bytes).toString();
}

function base64(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('base64');
}
