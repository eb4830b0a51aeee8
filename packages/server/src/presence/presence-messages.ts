import type { ClientInfo } from '@tutti/protocol';
import { BadMessage, bytesText, MessageFields } from '../cluster/message-fields.ts';

/** A member came (or changed its info), or went. */
export type Change =
  | { readonly kind: 'join'; readonly channel: string; readonly member: ClientInfo }
  | { readonly kind: 'leave'; readonly channel: string; readonly client: string };

/** What nodes tell each other of their own members. The owner is always the sender. */
export type PresenceMessage =
  /** The first change made version `first` of the sender's members, the next one more. */
  | { readonly kind: 'changes'; readonly first: number; readonly changes: readonly Change[] }
  /** With every heartbeat: where the sender is. Version 0 is nobody. */
  | { readonly kind: 'digest'; readonly version: number; readonly digest: string }
  /** The sender has the receiver's changes up to here, and asks for the rest; `whole`: for everything, whatever it has. */
  | { readonly kind: 'ask'; readonly since: number; readonly whole: boolean }
  /** A part of everything the sender has at one version. */
  | {
      readonly kind: 'page';
      readonly version: number;
      readonly page: number;
      readonly pages: number;
      readonly members: readonly { readonly channel: string; readonly member: ClientInfo }[];
    };

/** As JSON carries it: lists for what there is much of. */
export function written(message: PresenceMessage): unknown {
  if (message.kind === 'changes') return { ...message, changes: message.changes.map(writtenChange) };
  if (message.kind !== 'page') return message;
  return { ...message, members: message.members.map(({ channel, member }) => [channel, ...writtenMember(member)]) };
}

/** Throws `BadMessage`. */
export function readPresenceMessage(value: unknown): PresenceMessage {
  const fields = new MessageFields(value);
  const kind = fields.text('kind');
  if (kind === 'changes') return { kind, first: fields.count('first'), changes: fields.list('changes', readChange) };
  if (kind === 'digest') return { kind, version: fields.count('version'), digest: fields.text('digest') };
  if (kind === 'ask') return { kind, since: fields.count('since'), whole: fields.flag('whole') };
  if (kind !== 'page') throw new BadMessage('kind is unknown');
  const [version, page, pages] = [fields.count('version'), fields.count('page'), fields.count('pages')];
  if (page >= pages || pages > pagesMax) throw new BadMessage('page is out of range');
  return { kind, version, page, pages, members: fields.list('members', readMember) };
}

/** Characters of a change on the bus, roughly: for batches that fit. */
export function changeSize(channel: string, member?: ClientInfo): number {
  const text = 3 * channel.length + 96;
  if (member === undefined) return text;
  return text + 3 * (member.user.length + member.client.length) + (4 / 3) * infoBytes(member);
}

export function infoBytes({ conn_info: connInfo, chan_info: chanInfo }: ClientInfo): number {
  return (connInfo?.length ?? 0) + (chanInfo?.length ?? 0);
}

/** Pages of one snapshot: some gigabytes. */
const pagesMax = 65_536;

function writtenChange(change: Change): unknown {
  if (change.kind === 'leave') return [change.channel, change.client];
  return [change.channel, ...writtenMember(change.member)];
}

function writtenMember({ client, user, conn_info: connInfo, chan_info: chanInfo }: ClientInfo): unknown[] {
  const infos = [connInfo, chanInfo].map((info) => (info === undefined ? null : bytesText(info)));
  return [client, user, ...infos];
}

function readChange(value: unknown): Change {
  if (!Array.isArray(value) || value.length !== 2) return { kind: 'join', ...readMember(value) };
  const [channel, client] = value as unknown[];
  if (typeof channel !== 'string' || typeof client !== 'string') throw new BadMessage('a change is malformed');
  return { kind: 'leave', channel, client };
}

function readMember(value: unknown): { channel: string; member: ClientInfo } {
  const [channel, client, user, connInfo, chanInfo] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof channel !== 'string' || typeof client !== 'string' || typeof user !== 'string')
    throw new BadMessage('a member is malformed');
  const member: ClientInfo = { user, client };
  if (typeof connInfo === 'string') member.conn_info = Buffer.from(connInfo, 'base64');
  if (typeof chanInfo === 'string') member.chan_info = Buffer.from(chanInfo, 'base64');
  return { channel, member };
}
