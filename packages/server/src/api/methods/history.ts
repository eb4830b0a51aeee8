import { Rejection, rejections, type ClientInfo, type Publication } from '@tutti/protocol';
import type { Namespace } from '../../config/namespace.ts';
import type { FieldTable, ValuesOf } from '../fields.ts';
import { mustMayUse } from '../keys.ts';
import { method, type ApiMethod, type Call } from '../method.ts';

export const positionFields = {
  offset: { type: 'integer', description: 'Of a publication; 0: before the first.' },
  epoch: { type: 'text', description: 'Within which offsets count; absent: any.' },
} as const satisfies FieldTable;

export const clientFields = {
  user: { type: 'text', required: true, description: 'Empty: anonymous.' },
  client: { type: 'text', required: true, description: 'Id of the connection.' },
  conn_info: { type: 'json', description: 'From the token of the connection.' },
  chan_info: { type: 'json', description: 'From the token of the subscription.' },
} as const satisfies FieldTable;

const publicationFields = {
  data: { type: 'json', description: 'The payload.' },
  b64data: { type: 'text', description: 'The payload in base64, in channels that carry binary.' },
  offset: { type: 'integer', required: true, description: 'Its number in the channel.' },
  info: { type: 'object', fields: clientFields, description: 'The client that published it.' },
  tags: { type: 'tags', description: 'As published.' },
  time: { type: 'integer', description: 'When it was appended, milliseconds since 1970.' },
  key: { type: 'text', description: 'As published.' },
  final: { type: 'boolean', description: 'As published.' },
} as const satisfies FieldTable;

export const history: ApiMethod = method({
  name: 'history',
  summary: 'A page of kept publications, and the position of the channel.',
  params: {
    channel: { type: 'text', required: true, description: 'Whose history.' },
    limit: {
      type: 'integer',
      min: -1,
      description: 'Most publications. 0, or absent: the position alone. -1: as many as the node gives at once.',
    },
    since: {
      type: 'object',
      fields: positionFields,
      description: 'Only publications after it, or before it where `reverse`.',
    },
    reverse: { type: 'boolean', description: 'Newest first.' },
  },
  result: {
    publications: { type: 'list', of: publicationFields, required: true, description: 'In order, without holes.' },
    offset: { type: 'integer', required: true, description: 'Of the newest publication ever.' },
    epoch: { type: 'text', required: true, description: 'Of all these offsets.' },
  },
  async run({ channel, limit = 0, since, reverse = false }, call) {
    const namespace = mustKeepHistory(channel, call);
    const { offset = 0, epoch = '' } = since ?? {};
    const page = await call.target.history(channel, {
      limit,
      ...(since === undefined ? {} : { since: { offset, epoch } }),
      ...(reverse ? { reverse } : {}),
    });
    if (epoch !== '' && epoch !== page.top.epoch) {
      throw new Rejection(rejections.unrecoverablePosition, 'the position belongs to another epoch of the channel');
    }
    return { publications: page.publications.map((each) => shown(each, namespace)), ...page.top };
  },
});

export const historyRemove: ApiMethod = method({
  name: 'history_remove',
  summary: 'Forgets the kept publications of a channel. Its offsets go on from where they are.',
  params: { channel: { type: 'text', required: true, description: 'Whose history.' } },
  result: {},
  async run({ channel }, call) {
    mustKeepHistory(channel, call);
    await call.target.removeHistory(channel);
    return {};
  },
});

function mustKeepHistory(channel: string, { target, key }: Call): Namespace {
  mustMayUse(key, channel);
  const namespace = target.namespaceOf(channel);
  if (namespace.historySize > 0) return namespace;
  const { name } = namespace;
  throw new Rejection(rejections.notAvailable, `not available: history (option historySize of namespace "${name}")`);
}

function shown(publication: Publication, namespace: Namespace): ValuesOf<typeof publicationFields> {
  const { data, offset = 0, info, tags, time, key, final } = publication;
  const hasTags = tags !== undefined && Object.keys(tags).length > 0;
  return {
    ...(namespace.payload === 'binary' ? { b64data: Buffer.from(data).toString('base64') } : { data }),
    offset,
    ...(info === undefined ? {} : { info: shownClient(info) }),
    ...(hasTags ? { tags } : {}),
    ...(time === undefined ? {} : { time }),
    ...(key === undefined ? {} : { key }),
    ...(final === true ? { final } : {}),
  };
}

export function shownClient({ user, client, conn_info, chan_info }: ClientInfo): ValuesOf<typeof clientFields> {
  return {
    user,
    client,
    ...(conn_info === undefined ? {} : { conn_info }),
    ...(chan_info === undefined ? {} : { chan_info }),
  };
}
