import { Rejection, rejections, type DisconnectKind } from '@tutti/protocol';
import { BadMessage, bytesText, MessageFields, textItem } from '../cluster/message-fields.ts';
import type { ConnectionFacts, Page, PageQuery, Whose } from './directory.ts';
import type { ServerSubscription } from './server-subscribing.ts';

/** Which channels are asked for: those that match `pattern`, and one of `within` where it is given. */
export interface ChannelFilter {
  readonly pattern: string;
  readonly within?: readonly string[];
}

/** What one node asks another to do to its connections, or to tell of them. */
export type DirectoryQuestion =
  | {
      readonly verb: 'disconnect';
      readonly whose: Whose;
      readonly kind: DisconnectKind;
      readonly except: readonly string[];
    }
  | { readonly verb: 'unsubscribe'; readonly whose: Whose; readonly name: string; readonly kind: DisconnectKind }
  | { readonly verb: 'subscribe'; readonly whose: Whose; readonly name: string; readonly wanted: ServerSubscription }
  | { readonly verb: 'refresh'; readonly whose: Whose; readonly expiresAtMs: number; readonly info?: Uint8Array }
  | { readonly verb: 'connections'; readonly whose: Pick<Whose, 'tenant' | 'user'>; readonly query: PageQuery }
  | { readonly verb: 'channels'; readonly tenant: string; readonly query: PageQuery; readonly filter: ChannelFilter };

/** How many connections it concerned there, and what one of them was refused with. */
export interface Steered {
  readonly count: number;
  readonly refusal?: Rejection;
}

/** As JSON carries it. */
export function writtenQuestion(question: DirectoryQuestion): unknown {
  if (question.verb === 'refresh') return { ...question, info: writtenBytes(question.info) };
  if (question.verb !== 'subscribe') return question;
  const { info, data, ...rest } = question.wanted;
  return { ...question, wanted: { ...rest, info: writtenBytes(info), data: writtenBytes(data) } };
}

/** Throws `BadMessage`. */
export function readQuestion(value: unknown): DirectoryQuestion {
  const fields = new MessageFields(value);
  const verb = fields.text('verb');
  switch (verb) {
    case 'disconnect':
      return { verb, whose: readWhose(fields), kind: readKind(fields), except: fields.list('except', textItem) };
    case 'unsubscribe':
      return { verb, whose: readWhose(fields), name: fields.text('name'), kind: readKind(fields) };
    case 'subscribe':
      return { verb, whose: readWhose(fields), name: fields.text('name'), wanted: readWanted(fields.fields('wanted')) };
    case 'refresh': {
      const info = fields.optional('info', () => fields.bytes('info'));
      const expiresAtMs = fields.count('expiresAtMs');
      return { verb, whose: readWhose(fields), expiresAtMs, ...(info === undefined ? {} : { info }) };
    }
    case 'connections':
      return { verb, whose: readWhose(fields), query: readQuery(fields) };
    case 'channels': {
      const filter = fields.fields('filter');
      const within = filter.optional('within', () => filter.list('within', textItem));
      const asked = { pattern: filter.text('pattern'), ...(within === undefined ? {} : { within }) };
      return { verb, tenant: fields.text('tenant'), query: readQuery(fields), filter: asked };
    }
    default:
      throw new BadMessage('verb is unknown');
  }
}

export function writtenSteered({ count, refusal }: Steered): unknown {
  return refusal === undefined ? { count } : { count, code: refusal.kind.code, message: refusal.message };
}

export function readSteered(value: unknown): Steered {
  const fields = new MessageFields(value);
  const count = fields.count('count');
  const code = fields.optional('code', () => fields.count('code'));
  if (code === undefined) return { count };
  const kind = Object.values(rejections).find((each) => each.code === code) ?? rejections.internal;
  return { count, refusal: new Rejection(kind, fields.text('message')) };
}

export function readConnections(value: unknown): Page<ConnectionFacts> {
  return readPage(value, (fields) => ({
    user: fields.text('user'),
    transport: fields.text('transport'),
    codec: fields.text('codec'),
    subscriptions: fields.count('subscriptions'),
    lagBytes: fields.count('lagBytes'),
  }));
}

export function readChannels(value: unknown): Page<number> {
  return readPage(value, (fields) => fields.count('count'));
}

function readPage<Item>(value: unknown, read: (fields: MessageFields) => Item): Page<Item> {
  const fields = new MessageFields(value);
  const items = fields.list('items', (entry) => {
    const [key, item] = Array.isArray(entry) ? (entry as unknown[]) : [];
    return [textItem(key), read(new MessageFields(typeof item === 'number' ? { count: item } : item))] as const;
  });
  return { items, hasMore: fields.flag('hasMore') };
}

function readWhose(fields: MessageFields): Whose {
  const whose = fields.fields('whose');
  const texts = (['tenant', 'user', 'client'] as const).map((name) => [
    name,
    whose.optional(name, () => whose.text(name)),
  ]);
  return Object.fromEntries(texts.filter(([, value]) => value !== undefined)) as Whose;
}

function readKind(fields: MessageFields): DisconnectKind {
  const kind = fields.fields('kind');
  return { code: kind.count('code'), reason: kind.text('reason'), meaning: kind.text('meaning') };
}

function readQuery(fields: MessageFields): PageQuery {
  const query = fields.fields('query');
  return { after: query.text('after'), limit: query.count('limit') };
}

function readWanted(fields: MessageFields): ServerSubscription {
  const info = fields.optional('info', () => fields.bytes('info'));
  const data = fields.optional('data', () => fields.bytes('data'));
  const expiresAtMs = fields.optional('expiresAtMs', () => fields.count('expiresAtMs'));
  const since = fields.optional('recoverSince', () => fields.fields('recoverSince'));
  const recoverSince = since && { offset: since.count('offset'), epoch: since.text('epoch') };
  return {
    ...(info === undefined ? {} : { info }),
    ...(data === undefined ? {} : { data }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(recoverSince === undefined ? {} : { recoverSince }),
  };
}

function writtenBytes(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : bytesText(bytes);
}
