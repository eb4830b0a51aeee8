import type { Connection } from '../transport/transport.ts';
import type { Limits } from './limits.ts';

/** How late a ping may be through no fault but the timer wheel's; the wait for its pong is then that much shorter. */
const wheelLateMs = 250;

/** When to ping a peer, and when to give it up (CON-1). Monotonic milliseconds throughout. */
export class Heartbeat {
  /** When bytes last went either way; kept by the session. */
  busyAtMs = 0;
  readonly #limits: Limits;
  readonly #connection: Pick<Connection, 'isOneWay' | 'protocolPings'>;
  #pingAt = Infinity;
  #pongBy = Infinity;
  /** Answers until that to the last ping of ours: they come for the oldest first, and marks may be pings as well. */
  #pongsLeft = 0;

  /** From a peer that only listens no pong is waited for. */
  constructor(limits: Limits, connection: Pick<Connection, 'isOneWay' | 'protocolPings'> = {}) {
    this.#limits = limits;
    this.#connection = connection;
  }

  /** The first ping comes at random within the second half of the interval, so that many who come together do not beat together. */
  start(nowMs: number, chance: number): void {
    this.#pingAt = nowMs + this.#limits.pingIntervalMs * (0.5 + chance / 2);
  }

  due(nowMs: number): 'dead' | 'ping' | 'nothing' {
    if (nowMs >= this.#pongBy) return 'dead';
    if (nowMs < this.#pingAt) return 'nothing';
    const dueMs = Math.max(this.#pingAt, nowMs - wheelLateMs);
    this.#pingAt = nowMs + this.#limits.pingIntervalMs;
    // An unanswered earlier ping keeps its deadline.
    if (this.#connection.isOneWay !== true) this.#pongBy = Math.min(this.#pongBy, dueMs + this.#limits.pongTimeoutMs);
    return 'ping';
  }

  /** The ping that was due has left. */
  pinged(nowMs: number): void {
    this.busyAtMs = nowMs;
    this.#pongsLeft = this.#connection.protocolPings?.waiting ?? this.#pongsLeft + 1;
  }

  /** False: nobody had asked. */
  pong(): boolean {
    const { protocolPings: pings } = this.#connection;
    const wasAsked = pings?.answered() ?? this.#pongsLeft > 0;
    if (wasAsked) this.#pongsLeft -= 1;
    if (this.#pongsLeft <= 0) this.#pongBy = Infinity;
    return wasAsked;
  }

  /** The peer showed that it reads: an open ping waits behind what it has still to read. */
  alive(nowMs: number): void {
    if (this.#pongBy !== Infinity) this.#pongBy = nowMs + this.#limits.pongTimeoutMs;
  }

  nextIn(nowMs: number): number {
    return Math.max(0, Math.min(this.#pingAt, this.#pongBy) - nowMs);
  }
}
