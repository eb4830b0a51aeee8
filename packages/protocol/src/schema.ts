/**
 * The wire protocol as one table: every message, its fields, their Protobuf numbers and types.
 * Both codecs are driven by it, so a field cannot exist in one and not in the other.
 *
 * The mapped types below hold the table to messages.ts: a field that is missing, extra, of another
 * type, or required here and optional there does not compile. What the table itself says may
 * change only with a new entry in wire-history.ts (schema.test.ts).
 *
 * Fields of the Centrifuge protocol that messages.ts leaves out are skipped on decoding. Numbers
 * from 101 up are Tutti's own (docs/decisions/0003-wire-extensions.md).
 */
import type * as m from './messages.ts';

export type ScalarType = 'string' | 'bytes' | 'bool' | 'uint32' | 'uint64' | 'int32' | 'int64';
export type FieldType = ScalarType | 'message' | 'map';

/** A message without fields, such as a ping. */
export type Empty = Record<never, never>;

interface Messages {
  ClientInfo: m.ClientInfo;
  Publication: m.Publication;
  Position: m.Position;
  ConnectRequest: m.ConnectRequest;
  SubscribeRequest: m.SubscribeRequest;
  UnsubscribeRequest: m.UnsubscribeRequest;
  PublishRequest: m.PublishRequest;
  PresenceRequest: m.PresenceRequest;
  PresenceStatsRequest: m.PresenceStatsRequest;
  HistoryRequest: m.HistoryRequest;
  RPCRequest: m.RPCRequest;
  SendRequest: m.SendRequest;
  RefreshRequest: m.RefreshRequest;
  SubRefreshRequest: m.SubRefreshRequest;
  Command: m.Command;
  ErrorReply: m.ErrorReply;
  ConnectResult: m.ConnectResult;
  SubscribeResult: m.SubscribeResult;
  PublishResult: m.PublishResult;
  PresenceResult: m.PresenceResult;
  PresenceStatsResult: m.PresenceStatsResult;
  HistoryResult: m.HistoryResult;
  RPCResult: m.RPCResult;
  RefreshResult: m.RefreshResult;
  SubRefreshResult: m.SubRefreshResult;
  Join: m.Join;
  Leave: m.Leave;
  UnsubscribePush: m.UnsubscribePush;
  MessagePush: m.MessagePush;
  SubscribePush: m.SubscribePush;
  DisconnectPush: m.DisconnectPush;
  RefreshPush: m.RefreshPush;
  Push: m.Push;
  Reply: m.Reply;
  Empty: Empty;
}

export type MessageName = keyof Messages;

/** One row. `V` and `R` exist for the compiler only. */
export interface FieldSpec<V = unknown, R extends boolean = boolean> {
  readonly number: number;
  readonly type: FieldType;
  /** The message a `message` field holds, or a `map`'s values; a map without it holds strings. */
  readonly message?: MessageName;
  readonly repeated?: boolean;
  /** Decoded to its default where absent, so that readers need no check. */
  readonly required: R;
  readonly of?: V;
}

type FieldsOf<T> = {
  readonly [K in keyof T]-?: FieldSpec<NonNullable<T[K]>, object extends Pick<T, K> ? false : true>;
};

const string = (number: number): FieldSpec<string, false> => ({ number, type: 'string', required: false });
const bytes = (number: number): FieldSpec<Uint8Array, false> => ({ number, type: 'bytes', required: false });
const bool = (number: number): FieldSpec<boolean, false> => ({ number, type: 'bool', required: false });
const uint32 = (number: number): FieldSpec<number, false> => ({ number, type: 'uint32', required: false });
const uint64 = (number: number): FieldSpec<number, false> => ({ number, type: 'uint64', required: false });
const int32 = (number: number): FieldSpec<number, false> => ({ number, type: 'int32', required: false });
const int64 = (number: number): FieldSpec<number, false> => ({ number, type: 'int64', required: false });

function message<N extends MessageName>(number: number, name: N): FieldSpec<Messages[N], false> {
  return { number, type: 'message', message: name, required: false };
}
function list<N extends MessageName>(number: number, name: N): FieldSpec<Messages[N][], false> {
  return { number, type: 'message', message: name, repeated: true, required: false };
}
function map<N extends MessageName>(number: number, name: N): FieldSpec<Record<string, Messages[N]>, false> {
  return { number, type: 'map', message: name, required: false };
}
function stringMap(number: number): FieldSpec<Record<string, string>, false> {
  return { number, type: 'map', required: false };
}
function required<V>(field: FieldSpec<V, false>): FieldSpec<V, true> {
  return { ...field, required: true };
}

export const schema: { readonly [N in MessageName]: FieldsOf<Messages[N]> } = {
  Empty: {},
  ClientInfo: { user: required(string(1)), client: required(string(2)), conn_info: bytes(3), chan_info: bytes(4) },
  Publication: {
    data: required(bytes(4)),
    info: message(5, 'ClientInfo'),
    offset: uint64(6),
    tags: stringMap(7),
    delta: bool(8),
    time: int64(9),
    channel: string(10),
    key: string(11),
    epoch: string(14),
    skipped: uint32(101),
    final: bool(102),
  },
  Position: { offset: required(uint64(1)), epoch: required(string(2)) },

  ConnectRequest: {
    token: string(1),
    data: bytes(2),
    subs: map(3, 'SubscribeRequest'),
    name: string(4),
    version: string(5),
    headers: stringMap(6),
  },
  SubscribeRequest: {
    channel: string(1),
    token: string(2),
    recover: bool(3),
    epoch: string(6),
    offset: uint64(7),
    data: bytes(8),
    positioned: bool(9),
    recoverable: bool(10),
    join_leave: bool(11),
    delta: string(12),
    tf: message(13, 'Empty'),
    flag: int64(14),
    type: int32(15),
    interval: uint32(101),
  },
  UnsubscribeRequest: { channel: string(1) },
  PublishRequest: {
    channel: string(1),
    data: bytes(2),
    key: string(4),
    idempotency_key: string(101),
    expected_offset: uint64(102),
    expected_epoch: string(103),
    final: bool(104),
  },
  PresenceRequest: { channel: string(1) },
  PresenceStatsRequest: { channel: string(1) },
  HistoryRequest: { channel: string(1), limit: int32(7), since: message(8, 'Position'), reverse: bool(9) },
  RPCRequest: { data: bytes(1), method: string(2) },
  SendRequest: { data: bytes(1) },
  RefreshRequest: { token: string(1) },
  SubRefreshRequest: { channel: string(1), token: string(2), interval: uint32(101) },
  Command: {
    id: uint32(1),
    connect: message(4, 'ConnectRequest'),
    subscribe: message(5, 'SubscribeRequest'),
    unsubscribe: message(6, 'UnsubscribeRequest'),
    publish: message(7, 'PublishRequest'),
    presence: message(8, 'PresenceRequest'),
    presence_stats: message(9, 'PresenceStatsRequest'),
    history: message(10, 'HistoryRequest'),
    ping: message(11, 'Empty'),
    send: message(12, 'SendRequest'),
    rpc: message(13, 'RPCRequest'),
    refresh: message(14, 'RefreshRequest'),
    sub_refresh: message(15, 'SubRefreshRequest'),
  },

  ErrorReply: { code: required(uint32(1)), message: required(string(2)), temporary: bool(3) },
  ConnectResult: {
    client: required(string(1)),
    version: string(2),
    expires: bool(3),
    ttl: uint32(4),
    data: bytes(5),
    subs: map(6, 'SubscribeResult'),
    ping: uint32(7),
    pong: bool(8),
    session: string(9),
    node: string(10),
    time: int64(11),
    frame_bytes_max: uint32(101),
  },
  SubscribeResult: {
    expires: bool(1),
    ttl: uint32(2),
    recoverable: bool(3),
    epoch: string(6),
    publications: list(7, 'Publication'),
    recovered: bool(8),
    offset: uint64(9),
    positioned: bool(10),
    data: bytes(11),
    was_recovering: bool(12),
    delta: bool(13),
    type: int32(15),
    interval: uint32(101),
  },
  PublishResult: { offset: uint64(101), epoch: string(102), duplicate: bool(103) },
  PresenceResult: { presence: required(map(1, 'ClientInfo')) },
  PresenceStatsResult: { num_clients: required(uint32(1)), num_users: required(uint32(2)) },
  HistoryResult: {
    publications: required(list(1, 'Publication')),
    epoch: required(string(2)),
    offset: required(uint64(3)),
  },
  RPCResult: { data: bytes(1) },
  RefreshResult: { client: required(string(1)), version: string(2), expires: bool(3), ttl: uint32(4) },
  SubRefreshResult: { expires: bool(1), ttl: uint32(2), interval: uint32(101) },

  Join: { info: required(message(1, 'ClientInfo')) },
  Leave: { info: required(message(1, 'ClientInfo')) },
  UnsubscribePush: { code: required(uint32(2)), reason: required(string(3)) },
  MessagePush: { data: required(bytes(1)) },
  SubscribePush: {
    recoverable: bool(1),
    epoch: string(4),
    offset: uint64(5),
    positioned: bool(6),
    data: bytes(7),
  },
  DisconnectPush: { code: required(uint32(1)), reason: required(string(2)), reconnect: bool(3) },
  RefreshPush: { expires: bool(1), ttl: uint32(2) },
  Push: {
    channel: string(2),
    pub: message(4, 'Publication'),
    join: message(5, 'Join'),
    leave: message(6, 'Leave'),
    unsubscribe: message(7, 'UnsubscribePush'),
    message: message(8, 'MessagePush'),
    subscribe: message(9, 'SubscribePush'),
    disconnect: message(11, 'DisconnectPush'),
    refresh: message(12, 'RefreshPush'),
  },
  Reply: {
    id: uint32(1),
    error: message(2, 'ErrorReply'),
    push: message(4, 'Push'),
    connect: message(5, 'ConnectResult'),
    subscribe: message(6, 'SubscribeResult'),
    unsubscribe: message(7, 'Empty'),
    publish: message(8, 'PublishResult'),
    presence: message(9, 'PresenceResult'),
    presence_stats: message(10, 'PresenceStatsResult'),
    history: message(11, 'HistoryResult'),
    ping: message(12, 'Empty'),
    rpc: message(13, 'RPCResult'),
    refresh: message(14, 'RefreshResult'),
    sub_refresh: message(15, 'SubRefreshResult'),
  },
};
