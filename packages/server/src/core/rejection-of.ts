import { Rejection, rejections } from '@tutti/protocol';
import { PositionConflict } from '../broker/broker.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { Fault } from './fault.ts';

/** What a client is told of an error; undefined where it is a bug of ours. Faults are logged here, where they end. */
export function rejectionOf(error: unknown, { telemetry }: { telemetry: Telemetry }): Rejection | undefined {
  if (error instanceof Rejection) return error;
  if (error instanceof PositionConflict) {
    return new Rejection(
      rejections.positionConflict,
      `the channel is at offset ${error.top.offset}, epoch ${error.top.epoch}`,
    );
  }
  if (error instanceof Fault) {
    telemetry.log.error({ seam: error.seam, retryable: error.retryable, error }, error.message);
    return new Rejection(error.seam === 'broker' ? rejections.storageUnavailable : rejections.internal);
  }
  return undefined;
}
