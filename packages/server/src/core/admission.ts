import type { Admission as AdmissionContract, Refusal } from '../transport/transport.ts';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

export interface AdmissionLimits {
  /** New connections a second in the long run; 0: any. */
  readonly connectRateMax: number;
  /** New connections at once, after a quiet time. */
  readonly connectBurstMax: number;
  /** Connections that have not authenticated yet. */
  readonly unauthenticatedMax: number;
  /** How late the event loop may be; 0: any. */
  readonly loopLagMaxMs: number;
  /** Share of the memory that may be in use; 0: any. */
  readonly memoryHighWater: number;
}

/** What the node has to carry at this moment. Each is asked for every new connection, so it must cost nothing. */
export interface Load {
  unauthenticated(): number;
  loopLagMs(): number;
  /** Of the memory that the process may use, 0 to 1. */
  memoryShare(): number;
}

/** Reasons of a refusal; a label of the metrics. */
export type AdmissionReason = 'draining' | 'memory' | 'loop_lag' | 'handshakes' | 'rate';

/** Who is refused returns no sooner, and no later, than this. */
const returnMinMs = 1_000;
const returnMaxMs = 30_000;
/** What is not about the number of those who come passes by itself: a span to ask again within. */
const returnSpreadMs = 4_000;

/**
 * Whether the node takes another connection now (CON-2). A new connection costs a hundred times what
 * a delivery costs: where it cannot be paid without taking from those who are connected, it is refused
 * before any of it is looked at.
 *
 * Those refused are told to return at different times: over as long as it takes to let all of them in.
 */
export class Admission implements AdmissionContract {
  readonly #limits: AdmissionLimits;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #load: Load;
  #tokens: number;
  /** About how many were refused and will return; falls at the rate at which they are let in. */
  #waiting = 0;
  #countedMs: number;
  #isDraining = false;

  constructor(limits: AdmissionLimits, seams: { clock: Clock; random: Random; load: Load }) {
    this.#limits = limits;
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#load = seams.load;
    this.#tokens = limits.connectBurstMax;
    this.#countedMs = seams.clock.monotonic();
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** From now on nobody is admitted. */
  drain(): void {
    this.#isDraining = true;
  }

  admit(): Refusal | undefined {
    this.#refill();
    const reason = this.#reason();
    if (reason !== undefined) return this.#refuse(reason);
    this.#tokens -= 1;
    return undefined;
  }

  giveBack(): void {
    this.#tokens = Math.min(this.#tokens + 1, this.#limits.connectBurstMax);
  }

  #reason(): AdmissionReason | undefined {
    const { connectRateMax, unauthenticatedMax, loopLagMaxMs, memoryHighWater } = this.#limits;
    if (this.#isDraining) return 'draining';
    if (connectRateMax > 0 && this.#tokens < 1) return 'rate';
    if (this.#load.unauthenticated() >= unauthenticatedMax) return 'handshakes';
    if (loopLagMaxMs > 0 && this.#load.loopLagMs() > loopLagMaxMs) return 'loop_lag';
    if (memoryHighWater > 0 && this.#load.memoryShare() > memoryHighWater) return 'memory';
    return undefined;
  }

  #refill(): void {
    const { connectRateMax, connectBurstMax } = this.#limits;
    const nowMs = this.#clock.monotonic();
    const earned = ((nowMs - this.#countedMs) * connectRateMax) / 1_000;
    this.#countedMs = nowMs;
    this.#tokens = Math.min(this.#tokens + earned, connectBurstMax);
    this.#waiting = Math.max(0, this.#waiting - earned);
  }

  #refuse(reason: AdmissionReason): Refusal {
    const { connectRateMax } = this.#limits;
    // One that is draining will not be here in a while: another node is asked, at once if it can be found.
    if (reason === 'draining') return { reason, retryAfterMs: returnMinMs + this.#random.next() * returnSpreadMs };
    let spreadMs = returnSpreadMs;
    if (connectRateMax > 0) {
      // Without the bound a flood from strangers would send everybody away for an hour.
      this.#waiting = Math.min(this.#waiting + 1, (connectRateMax * returnMaxMs) / 1_000);
      spreadMs = Math.max(spreadMs, (this.#waiting * 1_000) / connectRateMax);
    }
    const retryAfterMs = Math.min(returnMaxMs, returnMinMs + this.#random.next() * spreadMs);
    return { reason, retryAfterMs };
  }
}
