import type { Position } from '@tutti/protocol';
import type { PublicationDraft } from '../broker/broker.ts';
import type { SessionFacts } from '../observer/node-observer.ts';

/** How the payloads of a channel are: JSON text, or any bytes. */
export type Payload = 'json' | 'binary';

const utf8 = new TextDecoder();

/** Fields of an event about a session. */
export function sessionFields({
  client,
  user,
  transport,
  codec,
  remoteAddress,
}: SessionFacts): Record<string, unknown> {
  return { client, user, transport, codec, address: remoteAddress };
}

/** Fields of a published event but its data, which stands last (`dataMember`). */
export function publishedFields(
  { key, tags, final, info }: PublicationDraft,
  position: Position | undefined,
): Record<string, unknown> {
  return {
    ...(position === undefined ? {} : { offset: position.offset, epoch: position.epoch }),
    ...(info === undefined ? {} : { user: info.user, client: info.client }),
    ...(key === undefined ? {} : { key }),
    ...(tags === undefined ? {} : { tags }),
    ...(final === true ? { final } : {}),
  };
}

/** `"data": …` with the JSON as it is, or `"b64data": "…"`. */
export function dataMember(data: Uint8Array, payload: Payload): string {
  if (payload === 'binary') return `"b64data":"${Buffer.from(data).toString('base64')}"`;
  // JSON was checked when it was accepted, so a line break in it can only stand between its words.
  return `"data":${utf8.decode(data).replace(/[\r\n]/g, ' ')}`;
}

/** One JSON object on one line. `last`: a member already written. */
export function eventLine(fields: Readonly<Record<string, unknown>>, last?: string): Uint8Array {
  const text = JSON.stringify(fields);
  return Buffer.from(last === undefined ? text : `${text.slice(0, -1)},${last}}`);
}

/** The body of a request: `{"events": […]}`. */
export function bodyOf(lines: readonly Uint8Array[]): Uint8Array {
  const parts = lines.flatMap((line, index) => (index === 0 ? [line] : [comma, line]));
  return Buffer.concat([opening, ...parts, closing]);
}

const opening = Buffer.from('{"events":[');
const comma = Buffer.from(',');
const closing = Buffer.from(']}');
