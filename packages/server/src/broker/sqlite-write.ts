import { Fault } from '../core/fault.ts';
import type { PublicationDraft, PublishOptions } from './broker.ts';
import type { PublishWrite } from './sqlite-messages.ts';

/** 35 years: keeps every sum of times a safe integer. */
const retentionMax = 2 ** 40;

/** A publish call as the worker is told it. Throws `Fault` where a condition cannot be met by any log. */
export function toPublishWrite(
  channel: string,
  draft: PublicationDraft,
  options: PublishOptions,
  row: Pick<PublishWrite, 'atMs' | 'envelope'>,
): PublishWrite {
  const { history, expected, idempotencyKey } = options;
  if (expected !== undefined && history === undefined) {
    throw new Fault('broker', 'an expected position needs a channel with history', { retryable: false });
  }
  return {
    kind: 'publish',
    channel,
    ...row,
    payloadBytes: draft.data.byteLength,
    key: idempotencyKey ?? null,
    retention: history === undefined ? null : { size: whole(history.size), ttlMs: whole(history.ttlMs) },
    expected: expected === undefined ? null : { offset: expected.offset, epoch: expected.epoch },
  };
}

function whole(value: number): number {
  return Math.min(retentionMax, Math.max(1, Math.floor(value)));
}
