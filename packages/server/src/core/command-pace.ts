import type { Connection } from '../transport/transport.ts';
import type { Services } from './services.ts';

type PaceServices = Pick<Services, 'limits' | 'clock' | 'telemetry'>;

/** Bytes of a frame that count as one more command: decoding a long one costs, too. */
const bytesPerCommand = 4 * 1024;
/** Who is held is held for at least so long: to stop and go on for each single command would cost more than it saves. */
const holdMinMs = 50;

/**
 * So much a second, and a second's worth at once. What is spent was spent already, so the balance may fall below
 * zero, and is then to be waited for.
 */
class Account {
  #left: number | undefined;
  #countedMs = 0;

  /** Milliseconds to wait. */
  pay(cost: number, perSecond: number, nowMs: number): number {
    const earned = ((nowMs - this.#countedMs) * perSecond) / 1_000;
    this.#countedMs = nowMs;
    this.#left = Math.min(perSecond, (this.#left ?? perSecond) + earned) - cost;
    return this.#left >= 0 ? 0 : (-this.#left * 1_000) / perSecond;
  }
}

/**
 * How fast one connection may send commands, and bytes (S21), so that its flood does not take the time of the
 * others: so many a second, and a second's worth at once.
 *
 * Who sends faster is not refused, only read later, so that its own network holds it back; an honest
 * client that publishes a lot needs no answer to that. What has been read is carried out, so the
 * balance may fall below zero, and the connection is then held until it is paid.
 */
export class CommandPace {
  #commands: Account | undefined;
  #bytes: Account | undefined;
  #spared = 0;

  /** One command of the frame that is counted next is the answer to something we asked: it costs nothing. */
  spare(): void {
    this.#spared += 1;
  }

  /** Counts what a connection sent, and holds it where that was too much. */
  keep(connection: Connection, commands: number, bytes: number, services: PaceServices): void {
    const { limits, clock, telemetry } = services;
    const nowMs = clock.monotonic();
    // A frame that holds nothing costs the work of finding that out.
    const paid = Math.max(1, commands) - this.#spared;
    this.#spared = 0;
    const holdMs = Math.max(
      this.spend(paid, bytes, limits.commandRateMax, nowMs),
      this.spendBytes(bytes, limits.receivedBytesRateMax, nowMs),
    );
    if (holdMs === 0) return;
    telemetry.count('connections_held');
    connection.hold(holdMs);
  }

  /** Milliseconds to hold the connection; 0: go on. `perSecond` 0: any number. */
  spend(commands: number, bytes: number, perSecond: number, nowMs: number): number {
    if (perSecond <= 0) return 0;
    const cost = commands + Math.floor(bytes / bytesPerCommand);
    return cost === 0 ? 0 : heldFor((this.#commands ??= new Account()).pay(cost, perSecond, nowMs));
  }

  /** The same for bytes. */
  spendBytes(bytes: number, perSecond: number, nowMs: number): number {
    if (perSecond <= 0) return 0;
    return heldFor((this.#bytes ??= new Account()).pay(bytes, perSecond, nowMs));
  }
}

function heldFor(waitMs: number): number {
  return waitMs === 0 ? 0 : Math.max(holdMinMs, waitMs);
}
