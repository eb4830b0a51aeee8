import { setImmediate } from 'node:timers/promises';
import { Rejection, rejections } from '@tutti/protocol';
import type { PublicationDraft } from '../../broker/broker.ts';
import { apiBounds } from '../contract.ts';
import { errorOf, errorFields, type ApiError } from '../api-error.ts';
import type { FieldTable, ValuesOf } from '../fields.ts';
import { mustMayUse } from '../keys.ts';
import { method, type ApiMethod, type Call } from '../method.ts';

const publicationFields = {
  data: { type: 'json', description: 'The payload: any JSON but null, carried as it is written.' },
  b64data: { type: 'base64', description: 'The payload in place of `data`, as bytes in base64.' },
  idempotency_key: {
    type: 'text',
    bytesMax: apiBounds.idempotencyKeyBytesMax,
    description: 'A repetition with the same key takes effect once in each channel (DEL-6).',
  },
  key: { type: 'text', description: 'What `latest_by_key` delivery conflates by.' },
  final: { type: 'boolean', description: 'The last word on its key: never conflated away.' },
  tags: { type: 'tags', description: 'Names with text values, handed to subscribers.' },
  skip_history: {
    type: 'boolean',
    description: 'Only for channels that keep no history, where it changes nothing.',
  },
  delta: { type: 'boolean', description: 'Has no effect: publications are always sent whole.' },
  version: { type: 'refused', description: 'use expected_offset, which is checked when the publication is appended' },
  version_epoch: { type: 'refused', description: 'use expected_epoch' },
} as const satisfies FieldTable;

const publishParams = {
  channel: { type: 'text', required: true, description: 'Where to publish.' },
  ...publicationFields,
  expected_offset: {
    type: 'integer',
    description: 'Append only where the channel is exactly at this offset; else error 121.',
  },
  expected_epoch: { type: 'text', description: 'The epoch that `expected_offset` belongs to; absent: any.' },
} as const satisfies FieldTable;

const publishResult = {
  offset: { type: 'integer', description: 'Absent where the channel keeps no history.' },
  epoch: { type: 'text', description: 'Absent where the channel keeps no history.' },
  duplicate: { type: 'boolean', description: 'The idempotency key was seen before; this is the first result.' },
} as const satisfies FieldTable;

export const publish: ApiMethod = method({
  name: 'publish',
  summary: 'Publishes to a channel. The answer says that the publication is kept as the channel promises.',
  params: publishParams,
  result: publishResult,
  run: publishOne,
});

export const broadcast: ApiMethod = method({
  name: 'broadcast',
  summary: 'Publishes the same to many channels. Each has an answer of its own, in the order asked.',
  params: {
    channels: {
      type: 'texts',
      countMax: apiBounds.broadcastChannelsMax,
      required: true,
      description: `Where to publish; at most ${apiBounds.broadcastChannelsMax}.`,
    },
    ...publicationFields,
  },
  result: {
    responses: {
      type: 'list',
      required: true,
      description: 'For each channel a `result` or an `error`.',
      of: {
        result: { type: 'object', fields: publishResult, description: 'As of `publish`.' },
        error: { type: 'object', fields: errorFields, description: 'Why this channel refused.' },
      },
    },
  },
  async run({ channels, ...publication }, call) {
    if (channels.length === 0) throw new Rejection(rejections.badRequest, 'channels is missing or empty');
    payloadOf(publication);
    const responses: { result?: ValuesOf<typeof publishResult>; error?: ApiError }[] = [];
    for (let i = 0; i < channels.length; i += apiBounds.turnMax) {
      // Thousands of publications in one turn would hold up everybody else (S22).
      if (i > 0) await setImmediate();
      const some = channels.slice(i, i + apiBounds.turnMax);
      responses.push(...(await Promise.all(some.map((channel) => respond({ channel, ...publication }, call)))));
    }
    return { responses };
  },
});

async function respond(
  params: ValuesOf<typeof publishParams>,
  call: Call,
): Promise<{ result: ValuesOf<typeof publishResult> } | { error: ApiError }> {
  try {
    return { result: await publishOne(params, call) };
  } catch (error) {
    return { error: errorOf(call.target.rejectionOf(error)) };
  }
}

async function publishOne(
  params: ValuesOf<typeof publishParams>,
  { target, key: apiKey }: Call,
): Promise<ValuesOf<typeof publishResult>> {
  const { channel, key, tags, final, idempotency_key: idempotencyKey, expected_offset: offset } = params;
  mustMayUse(apiKey, channel);
  if (params.skip_history === true && target.namespaceOf(channel).historySize > 0) {
    throw new Rejection(
      rejections.notAvailable,
      'skip_history: the channel keeps a history, and every publication of it has a position; use a namespace without history',
    );
  }
  if (offset === undefined && params.expected_epoch !== undefined) {
    throw new Rejection(rejections.badRequest, 'expected_epoch goes with expected_offset');
  }
  const draft: PublicationDraft = {
    data: payloadOf(params),
    ...(key === undefined ? {} : { key }),
    ...(final === true ? { final } : {}),
    ...(tags === undefined ? {} : { tags }),
  };
  const { position, duplicate } = await target.publish(channel, draft, {
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(offset === undefined ? {} : { expected: { offset, epoch: params.expected_epoch ?? '' } }),
  });
  return { ...position, ...(duplicate ? { duplicate } : {}) };
}

function payloadOf({ data, b64data }: { data?: Uint8Array | undefined; b64data?: Uint8Array | undefined }): Uint8Array {
  if (data !== undefined && b64data !== undefined) {
    throw new Rejection(rejections.badRequest, 'give data or b64data, not both');
  }
  const payload = data ?? b64data;
  if (payload === undefined) throw new Rejection(rejections.badRequest, 'data is missing or null');
  return payload;
}
