import type { ServerResponse } from 'node:http';
import { disconnects, type Codec, type DisconnectKind } from '@tutti/protocol';
import type { Clock, Timer } from '../../core/clock.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { ClosedReason, Connection, ConnectionHandler, OutboundFrame, UpgradeRefusal } from '../transport.ts';
import type { Framing } from './framing.ts';
import { StreamPings, type PingedStream } from './stream-pings.ts';

/** A connection on the response to one request. */
export interface StreamLink extends Connection {
  /** Resolves once the response has begun, or with why it does not. */
  readonly opened: Promise<UpgradeRefusal | undefined>;
  /** Called once. `first` is what the peer opened it with. */
  begin(handler: ConnectionHandler, first: Uint8Array): void;
  /** A frame of the peer. Nothing is acted on once the end has begun. */
  receive(frame: Uint8Array): void;
  /** Resolves when its peer may be read again; undefined: now. Asked anew after it: it may be held again. */
  readonly held: Promise<void> | undefined;
}

/** What a connection needs of its transport; one object for all of them. */
export interface StreamOwner {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** No request is acted on for it any more, and it is to be terminated unless it is gone in time. */
  ending(connection: StreamLink): void;
  ended(connection: StreamLink): void;
}

export interface StreamFacts {
  readonly transport: string;
  readonly remoteAddress: string;
  /** Absent: the peer only listens. */
  readonly session?: string;
  /** Headers of the request, as hooks are shown them. */
  readonly hookHeaders?: Readonly<Record<string, string>>;
  /** Headers of the response, besides its type. */
  readonly headers: Readonly<Record<string, string>>;
}

const nothing = Buffer.alloc(0);

/**
 * Of responses that do not end, where no proxy may rewrite, keep or hold back what is in them
 * (X-Accel-Buffering is nginx's word for that).
 */
const streamHeaders = {
  'Cache-Control': 'no-cache, no-store, no-transform, must-revalidate, private, max-age=0',
  Pragma: 'no-cache',
  'X-Accel-Buffering': 'no',
  'X-Content-Type-Options': 'nosniff',
  Connection: 'close',
};

/**
 * One response that does not end: what the node has to say to a peer. What the peer says comes by
 * other requests (`Emulation`), or, where it only listens, not at all.
 *
 * Marks are pings of the protocol, where the peer can answer them. One that only listens leaves the
 * kernel's word: it took the bytes, which says nothing of the peer.
 */
export class StreamConnection implements StreamLink, PingedStream {
  readonly transport: string;
  readonly codec: Codec;
  readonly remoteAddress: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly session?: string;
  readonly isOneWay: boolean;
  readonly protocolPings?: StreamPings;
  readonly #response: ServerResponse;
  readonly #framing: Framing;
  readonly #owner: StreamOwner;
  readonly #headers: Readonly<Record<string, string>>;
  readonly opened: Promise<UpgradeRefusal | undefined>;
  #settle: (refusal: UpgradeRefusal | undefined) => void = () => undefined;
  #hasBegun = false;
  #handler: ConnectionHandler | undefined;
  /** Set once we began to end it. */
  #reason: ClosedReason | undefined;
  #held: { untilMs: number; timer: Timer; over: Promise<void>; end: () => void } | undefined;
  #taken: ((error?: Error | null) => void) | undefined;

  constructor(response: ServerResponse, framing: Framing, facts: StreamFacts, owner: StreamOwner) {
    this.transport = facts.transport;
    this.codec = framing.codec;
    this.remoteAddress = facts.remoteAddress;
    this.isOneWay = facts.session === undefined;
    if (facts.session !== undefined) {
      this.session = facts.session;
      this.protocolPings = new StreamPings(owner.clock, this);
    }
    if (facts.hookHeaders !== undefined) this.headers = facts.hookHeaders;
    this.#headers = facts.headers;
    this.#response = response;
    this.#framing = framing;
    this.#owner = owner;
    this.opened = new Promise((resolve) => {
      this.#settle = resolve;
    });
    response.on('close', () => {
      this.#closed();
    });
  }

  get inFlight(): number {
    return Math.max(this.protocolPings?.unconfirmed ?? 0, this.#response.writableLength);
  }

  begin(handler: ConnectionHandler, first: Uint8Array): void {
    this.#handler = handler;
    if (this.#reason === undefined && this.#framing.verdict === undefined) this.#open();
    this.receive(first);
  }

  send(frames: readonly OutboundFrame[]): void {
    if (!this.#isWritable) return;
    this.#owner.telemetry.count('frames_sent', frames.length);
    const response = this.#response;
    // Corked, the frames leave as one chunk in one write.
    const isCorked = frames.length > 1;
    if (isCorked) response.cork();
    for (const frame of frames) {
      if (!this.#hasBegun && !this.#mayBegin(frame)) continue;
      const bytes = this.#framing.wrap(frame);
      this.protocolPings?.sent(bytes.length);
      if (bytes.length > 0) response.write(bytes);
    }
    if (isCorked) response.uncork();
    if (this.#framing.isOver === true) this.close(disconnects.forceReconnect);
  }

  mark(): void {
    if (!this.#isWritable || !this.#hasBegun) return;
    if (this.protocolPings !== undefined) {
      this.protocolPings.mark();
      return;
    }
    this.#taken ??= (error) => {
      if (error !== undefined && error !== null) return;
      this.confirmed();
    };
    // Written behind all that came before, so its callback comes after theirs.
    this.#response.write(nothing, this.#taken);
  }

  ping(frame: OutboundFrame): void {
    if (this.#isWritable) this.#response.write(this.#framing.wrap(frame));
  }

  /** What a mark was for has come true. */
  confirmed(roundTripMs?: number, aheadBytes = 0): void {
    try {
      if (this.#reason === undefined) this.#handler?.confirmed(roundTripMs, aheadBytes);
    } catch (error) {
      this.#bug(error, 'confirmed');
    }
  }

  get held(): Promise<void> | undefined {
    return this.#held?.over;
  }

  hold(ms: number): void {
    const clock = this.#owner.clock;
    const untilMs = clock.monotonic() + ms;
    if (this.#reason !== undefined || (this.#held !== undefined && this.#held.untilMs >= untilMs)) return;
    let { over, end } = this.#held ?? {};
    over ??= new Promise((resolve) => {
      end = resolve;
    });
    this.#held?.timer.cancel();
    const timer = clock.after(ms, () => {
      this.#endHold();
    });
    this.#held = { untilMs, timer, over, end: end ?? (() => undefined) };
  }

  receive(frame: Uint8Array): void {
    if (this.#reason !== undefined) return;
    try {
      this.#handler?.receive(frame);
    } catch (error) {
      this.#bug(error, 'receive');
    }
  }

  close(kind: DisconnectKind, detail?: string): void {
    if (this.#reason !== undefined) return;
    const reason = detail ?? kind.reason;
    this.#reason = { code: kind.code, reason, byPeer: false };
    this.#endHold();
    this.#owner.ending(this);
    if (!this.#hasBegun) {
      const verdict = this.#framing.verdict?.({ code: kind.code, reason });
      if (typeof verdict === 'object') {
        this.#settle(verdict);
        return;
      }
      this.#open();
    }
    this.#response.end(this.#framing.closing(kind.code, reason));
  }

  terminate(): void {
    this.#reason ??= { code: 1006, reason: 'terminated', byPeer: false };
    this.#response.destroy();
  }

  #endHold(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.timer.cancel();
    held?.end();
  }

  get #isWritable(): boolean {
    return this.#reason === undefined && !this.#response.writableEnded && !this.#response.destroyed;
  }

  /** Begins the response where the frame says that it may; refuses the request where it says that it may not. */
  #mayBegin(frame: OutboundFrame): boolean {
    if (this.#reason !== undefined) return false;
    const verdict = this.#framing.verdict?.(frame) ?? 'open';
    if (verdict === 'wait') return false;
    if (verdict === 'open') {
      this.#open();
      return true;
    }
    this.#reason = { code: disconnects.connectionClosed.code, reason: verdict.message, byPeer: false };
    this.#owner.ending(this);
    this.#settle(verdict);
    return false;
  }

  #open(): void {
    this.#hasBegun = true;
    const response = this.#response;
    if (response.destroyed) return;
    response.writeHead(200, { ...streamHeaders, ...this.#headers, 'Content-Type': this.#framing.contentType });
    response.flushHeaders();
    const opening = this.#framing.opening();
    if (opening.length > 0) response.write(opening);
    this.#settle(undefined);
  }

  #closed(): void {
    this.#owner.ended(this);
    this.#endHold();
    const handler = this.#handler;
    this.#handler = undefined;
    this.#reason ??= { code: 1006, reason: '', byPeer: true };
    this.#settle(undefined);
    try {
      handler?.closed(this.#reason);
    } catch (error) {
      this.#bug(error, 'closed');
    }
  }

  /** A handler never throws; where one does, its connection ends and the others go on (S23). */
  #bug(error: unknown, method: string): void {
    this.#owner.telemetry.count('bugs');
    this.#owner.telemetry.log.error({ error, method, transport: this.transport }, 'a connection handler threw');
    this.close(disconnects.internal);
  }
}
