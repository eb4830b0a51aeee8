import type {
  ClientInfo,
  Command,
  ConnectRequest,
  ConnectResult,
  Publication,
  Push,
  Reply,
  SubscribeResult,
} from '@tutti/protocol';

/** Turns one payload into another form. */
export type Convert<A, B> = (payload: A) => B;

/** A message with its payloads converted; nothing else changes. Only the Protobuf codec needs this: JSON payloads are values already. */
export function convertCommand<A, B>(command: Command<A>, convert: Convert<A, B>): Command<B> {
  const { connect, subscribe, publish, rpc, send, ...rest } = command;
  return {
    ...rest,
    ...(connect && { connect: connectRequest(connect, convert) }),
    ...(subscribe && { subscribe: data(subscribe, convert) }),
    ...(publish && { publish: data(publish, convert) }),
    ...(rpc && { rpc: data(rpc, convert) }),
    ...(send && { send: data(send, convert) }),
  };
}

export function convertReply<A, B>(reply: Reply<A>, convert: Convert<A, B>): Reply<B> {
  const { connect, subscribe, history, presence, rpc, push: pushed, ...rest } = reply;
  return {
    ...rest,
    ...(connect && { connect: connectResult(connect, convert) }),
    ...(subscribe && { subscribe: subscribeResult(subscribe, convert) }),
    ...(history && { history: { ...history, publications: publications(history.publications, convert) } }),
    ...(presence && { presence: { presence: each(presence.presence ?? {}, (info) => clientInfo(info, convert)) } }),
    ...(rpc && { rpc: data(rpc, convert) }),
    ...(pushed && { push: push(pushed, convert) }),
  };
}

function push<A, B>(message: Push<A>, convert: Convert<A, B>): Push<B> {
  const { pub, join, leave, message: told, subscribe, ...rest } = message;
  return {
    ...rest,
    ...(pub && { pub: publication(pub, convert) }),
    ...(join && { join: { info: clientInfo(join.info, convert) } }),
    ...(leave && { leave: { info: clientInfo(leave.info, convert) } }),
    ...(told && { message: { data: convert(told.data) } }),
    ...(subscribe && { subscribe: data(subscribe, convert) }),
  };
}

function connectRequest<A, B>({ subs, ...rest }: ConnectRequest<A>, convert: Convert<A, B>): ConnectRequest<B> {
  return { ...data(rest, convert), ...(subs && { subs: each(subs, (sub) => data(sub, convert)) }) };
}

function connectResult<A, B>({ subs, ...rest }: ConnectResult<A>, convert: Convert<A, B>): ConnectResult<B> {
  return { ...data(rest, convert), ...(subs && { subs: each(subs, (sub) => subscribeResult(sub, convert)) }) };
}

function subscribeResult<A, B>(
  { publications: list, ...rest }: SubscribeResult<A>,
  convert: Convert<A, B>,
): SubscribeResult<B> {
  return { ...data(rest, convert), ...(list && { publications: publications(list, convert) }) };
}

function publications<A, B>(list: Publication<A>[] | undefined, convert: Convert<A, B>): Publication<B>[] {
  return (list ?? []).map((one) => publication(one, convert));
}

function publication<A, B>({ data: payload, info, ...rest }: Publication<A>, convert: Convert<A, B>): Publication<B> {
  return { ...rest, data: convert(payload), ...(info && { info: clientInfo(info, convert) }) };
}

function clientInfo<A, B>({ conn_info, chan_info, ...rest }: ClientInfo<A>, convert: Convert<A, B>): ClientInfo<B> {
  return {
    ...rest,
    ...(conn_info !== undefined && { conn_info: convert(conn_info) }),
    ...(chan_info !== undefined && { chan_info: convert(chan_info) }),
  };
}

/** The message with its member `data` converted, where it has one. */
function data<A, B, M extends { data?: A }>(
  { data: payload, ...rest }: M,
  convert: Convert<A, B>,
): Omit<M, 'data'> & { data?: B } {
  return { ...rest, ...(payload !== undefined && { data: convert(payload) }) };
}

function each<A, B>(record: Record<string, A>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
