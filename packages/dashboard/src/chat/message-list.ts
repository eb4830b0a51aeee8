import type { LivePublication } from '../live.ts';

/** Most stored messages kept in the page; older ones can be loaded again. */
export const storedMessagesMax = 2000;
/** Most messages that wait to be sent. */
export const outgoingMessagesMax = 100;

export interface StoredMessage {
  /** Unique within the list; stable, for rendering. */
  readonly key: string;
  readonly author: string;
  readonly text: string;
  /** True where the payload was not a chat message and `text` shows it as JSON. */
  readonly raw: boolean;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  /** Absent where the channel keeps no history. */
  readonly offset?: number;
}

export interface OutgoingMessage {
  /** Chosen here; idempotency key of the publish, and carried in the payload to know the echo. */
  readonly id: string;
  readonly text: string;
  readonly timeMs: number;
  readonly state: 'pending' | 'sent' | 'failed';
  readonly reason?: string;
}

/**
 * What one room shows: messages of the log in offset order, and one's own that are not seen there
 * yet. Values are replaced, never changed, so that a view can compare by identity.
 */
export interface MessageList {
  /** Of the offsets in `stored`; empty while unknown. */
  readonly epoch: string;
  readonly stored: readonly StoredMessage[];
  readonly outgoing: readonly OutgoingMessage[];
  /** Numbers the messages that have no offset. */
  readonly unnumbered: number;
}

export const emptyMessageList: MessageList = { epoch: '', stored: [], outgoing: [], unnumbered: 0 };

/** Adds publications in any order: live ones, a page of history, or both overlapping. */
export function addPublications(
  list: MessageList,
  publications: readonly LivePublication[],
  epoch: string,
  me: string,
): MessageList {
  // Offsets of another epoch name other messages: what was shown cannot be ordered against them.
  const isOtherEpoch = epoch !== '' && list.epoch !== '' && epoch !== list.epoch;
  let unnumbered = list.unnumbered;
  const byOffset = new Map<number, StoredMessage>();
  const withoutOffset: StoredMessage[] = [];
  for (const message of isOtherEpoch ? [] : list.stored) {
    if (message.offset === undefined) withoutOffset.push(message);
    else byOffset.set(message.offset, message);
  }
  const echoed = new Set<string>();
  for (const publication of publications) {
    const id = echoOf(publication, me);
    if (id !== undefined) echoed.add(id);
    if (publication.offset === undefined) {
      withoutOffset.push(toStored(publication, `live-${unnumbered}`));
      unnumbered += 1;
    } else if (!byOffset.has(publication.offset)) {
      const key = `${epoch || list.epoch}-${publication.offset}`;
      byOffset.set(publication.offset, toStored(publication, key));
    }
  }
  const ordered = [...byOffset.values()].sort((a, b) => (a.offset ?? 0) - (b.offset ?? 0));
  return {
    epoch: epoch || list.epoch,
    stored: [...ordered, ...withoutOffset].slice(-storedMessagesMax),
    outgoing: echoed.size === 0 ? list.outgoing : list.outgoing.filter((message) => !echoed.has(message.id)),
    unnumbered,
  };
}

/** Forgets the stored messages, keeps the outgoing ones: after a gap, before the history is loaded again. */
export function forgetStored(list: MessageList): MessageList {
  return { ...list, epoch: '', stored: [] };
}

/** The same list where the bound on waiting messages is reached. */
export function addOutgoing(list: MessageList, id: string, text: string, timeMs: number): MessageList {
  if (list.outgoing.length >= outgoingMessagesMax) return list;
  return { ...list, outgoing: [...list.outgoing, { id, text, timeMs, state: 'pending' }] };
}

export function setOutgoing(
  list: MessageList,
  id: string,
  state: OutgoingMessage['state'],
  reason?: string,
): MessageList {
  const outgoing = list.outgoing.map((message) => {
    if (message.id !== id) return message;
    const { reason: _, ...rest } = message;
    return reason === undefined ? { ...rest, state } : { ...rest, state, reason };
  });
  return { ...list, outgoing };
}

export function removeOutgoing(list: MessageList, id: string): MessageList {
  return { ...list, outgoing: list.outgoing.filter((message) => message.id !== id) };
}

/** The smallest offset shown: the next page of history ends before it. */
export function oldestOffset(list: MessageList): number | undefined {
  return list.stored.find((message) => message.offset !== undefined)?.offset;
}

/** The id of one's own message that came back. Only from oneself: anybody can copy an id. */
function echoOf(publication: LivePublication, me: string): string | undefined {
  if (publication.user !== undefined && publication.user !== me) return undefined;
  return textField(publication.data, 'id');
}

function toStored(publication: LivePublication, key: string): StoredMessage {
  const text = textField(publication.data, 'text');
  const message = {
    key,
    author: authorOf(publication),
    text: text ?? JSON.stringify(publication.data) ?? '',
    raw: text === undefined,
    timeMs: publication.timeMs ?? Number.NaN,
  };
  return publication.offset === undefined ? message : { ...message, offset: publication.offset };
}

/** Published by an application there is no user, and its own word counts; a connection's user is never overruled by its payload. */
function authorOf(publication: LivePublication): string {
  if (publication.user === undefined) return textField(publication.data, 'from') || 'server';
  return publication.user || 'anonymous';
}

function textField(data: unknown, name: string): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const value: unknown = Object.hasOwn(data, name) ? Reflect.get(data, name) : undefined;
  return typeof value === 'string' ? value : undefined;
}
