import { apiBounds, type ApiNode, type Page } from '../contract.ts';
import type { FieldTable, ValuesOf } from '../fields.ts';
import { method, type ApiMethod } from '../method.ts';
import { silentField, silentNodes } from './silent-nodes.ts';

const pageFields = {
  limit: {
    type: 'integer',
    min: 0,
    description: `Most of them in one answer; 0, or absent: ${apiBounds.pageMax}, which is the most.`,
  },
  cursor: { type: 'text', description: '`next_cursor` of the answer before.' },
} as const satisfies FieldTable;

const nextCursor = { type: 'text', description: 'There are more: ask again with it as `cursor`.' } as const;

const channelFields = {
  num_clients: { type: 'integer', required: true, description: 'Subscriptions, on all nodes.' },
} as const satisfies FieldTable;

const connectionFields = {
  user: { type: 'text', required: true, description: 'Empty: anonymous.' },
  transport: { type: 'text', required: true, description: 'Such as `websocket`.' },
  protocol: { type: 'text', required: true, description: '`json` or `protobuf`.' },
  num_subs: { type: 'integer', required: true, description: 'Its subscriptions.' },
  lag_bytes: { type: 'integer', required: true, description: 'What waits for it, here and on the way.' },
} as const satisfies FieldTable;

export const channels: ApiMethod = method({
  name: 'channels',
  summary: 'Channels with a subscriber on any node, by name. A key bound to channels sees those alone.',
  params: {
    pattern: { type: 'text', description: 'A name, or its beginning and `*`.' },
    ...pageFields,
  },
  result: {
    channels: { type: 'map', of: channelFields, required: true, description: 'By name.' },
    next_cursor: nextCursor,
    ...silentField,
  },
  async run({ pattern = '*', limit, cursor = '' }, { target, key: { channels: within } }) {
    const query = { after: cursor, limit: limitOf(limit) };
    const page = await target.channels(query, { pattern, ...(within === undefined ? {} : { within }) });
    const shown = recordOf(page, (clients) => ({ num_clients: clients }));
    return { channels: shown, ...next(page), ...silentNodes(page) };
  },
});

export const connections: ApiMethod = method({
  name: 'connections',
  summary: 'Connections of all nodes, by client id.',
  params: {
    user: { type: 'text', description: 'Only those of this user.' },
    expression: { type: 'refused', description: 'select by user, or filter the pages' },
    ...pageFields,
  },
  result: {
    connections: { type: 'map', of: connectionFields, required: true, description: 'By client id.' },
    next_cursor: nextCursor,
    ...silentField,
  },
  async run({ user, limit, cursor = '' }, { target }) {
    const page = await target.connections({ after: cursor, limit: limitOf(limit) }, user);
    const shown = recordOf(page, (each): ValuesOf<typeof connectionFields> => ({
      user: each.user,
      transport: each.transport,
      protocol: each.codec,
      num_subs: each.subscriptions,
      lag_bytes: each.lagBytes,
    }));
    return { connections: shown, ...next(page), ...silentNodes(page) };
  },
});

const nodeFields = {
  uid: { type: 'text', required: true, description: 'Name of the node.' },
  name: { type: 'text', required: true, description: 'Name of the node.' },
  version: { type: 'text', required: true, description: 'Of the server.' },
  uptime: { type: 'integer', required: true, description: 'Seconds.' },
  num_clients: { type: 'integer', required: true, description: 'Connections.' },
  num_users: { type: 'integer', required: true, description: 'Distinct users.' },
  num_channels: { type: 'integer', required: true, description: 'Channels with a subscriber.' },
  num_subs: { type: 'integer', required: true, description: 'Subscriptions.' },
  process: {
    type: 'object',
    required: true,
    description: 'The process.',
    fields: {
      cpu: { type: 'number', required: true, description: 'Per cent of one core, since the start.' },
      rss: { type: 'integer', required: true, description: 'Resident memory, bytes.' },
      heap: { type: 'integer', required: true, description: 'Heap in use, bytes.' },
      loop_lag_ms: {
        type: 'number',
        required: true,
        description: 'How late its event loop is, smoothed, milliseconds.',
      },
    },
  },
} as const satisfies FieldTable;

export const info: ApiMethod = method({
  name: 'info',
  ofNode: true,
  summary: 'The nodes and their figures.',
  params: {},
  result: {
    nodes: {
      type: 'list',
      required: true,
      description: 'This node first.',
      of: nodeFields,
    },
    ...silentField,
  },
  async run(_params, { target }) {
    const found = await target.info();
    return { nodes: found.nodes.map(shownNode), ...silentNodes(found) };
  },
});

function shownNode(node: ApiNode): ValuesOf<typeof nodeFields> {
  return {
    uid: node.name,
    name: node.name,
    version: node.version,
    uptime: Math.floor(node.uptimeSeconds),
    num_clients: node.connections,
    num_users: node.users,
    num_channels: node.channels,
    num_subs: node.subscriptions,
    process: { cpu: node.cpuPercent, rss: node.rssBytes, heap: node.heapBytes, loop_lag_ms: node.loopLagMs },
  };
}

function limitOf(limit = 0): number {
  return limit === 0 ? apiBounds.pageMax : Math.min(limit, apiBounds.pageMax);
}

/** Without a prototype: channels and clients may have any name (S12). */
function recordOf<Item, Shown>({ items }: Page<Item>, show: (item: Item) => Shown): Record<string, Shown> {
  const record = Object.create(null) as Record<string, Shown>;
  for (const [name, item] of items) record[name] = show(item);
  return record;
}

function next({ items, hasMore }: Page<unknown>): { next_cursor?: string } {
  const last = items.at(-1)?.[0];
  return hasMore && last !== undefined ? { next_cursor: last } : {};
}
