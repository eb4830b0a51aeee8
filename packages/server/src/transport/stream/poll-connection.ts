import type { ServerResponse } from 'node:http';
import { disconnects, type DisconnectKind } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import type { Timer } from '../../core/clock.ts';
import type { ClosedReason, ConnectionHandler, OutboundFrame, UpgradeRefusal } from '../transport.ts';
import { repliesOf } from './frame-replies.ts';
import { PollAnswer } from './poll-answer.ts';
import type { PollOpening } from './poll-opening.ts';
import { refusalOf, refusalOfClose } from './refusals.ts';
import type { StreamFacts, StreamLink, StreamOwner } from './stream-connection.ts';

/** Slower readers than 4 KB a second are cut off, with the largest answer. */
const answerTimeoutMs = 60_000;
const noChannels: UpgradeRefusal = { status: 400, message: 'no channels: name some, as in ?channels=a,b' };

/**
 * One poll: a session that lives until it has something to say, or has waited long enough. What it was
 * given and did not tell is in the log, behind the cursor, for the next one (docs/decisions/0011).
 */
export class PollConnection implements StreamLink {
  readonly transport: string;
  readonly codec: typeof jsonCodec = jsonCodec;
  readonly remoteAddress: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isOneWay = true;
  readonly isBrief = true;
  readonly held = undefined;
  readonly opened: Promise<UpgradeRefusal | undefined>;
  readonly #response: ServerResponse;
  readonly #poll: PollOpening;
  readonly #answer: PollAnswer;
  readonly #owner: StreamOwner;
  readonly #headers: Readonly<Record<string, string>>;
  #settle: (refusal: UpgradeRefusal | undefined) => void = () => undefined;
  #handler: ConnectionHandler | undefined;
  /** For something to tell; then for the answer to be taken. */
  #waiting: Timer | undefined;
  #hasWaited = false;
  /** Set once it is answered, or refused. */
  #reason: ClosedReason | undefined;

  constructor(response: ServerResponse, poll: PollOpening, facts: StreamFacts, owner: StreamOwner) {
    this.transport = facts.transport;
    this.remoteAddress = facts.remoteAddress;
    if (facts.hookHeaders !== undefined) this.headers = facts.hookHeaders;
    this.#headers = facts.headers;
    this.#response = response;
    this.#poll = poll;
    this.#answer = new PollAnswer(poll.opening);
    this.#owner = owner;
    this.opened = new Promise((resolve) => {
      this.#settle = resolve;
    });
    response.on('close', () => {
      this.#closed();
    });
  }

  /** Nothing is on its way before the one answer, which is bounded by itself. */
  get inFlight(): number {
    return 0;
  }

  begin(handler: ConnectionHandler, first: Uint8Array): void {
    this.#handler = handler;
    this.#waiting = this.#owner.clock.after(this.#poll.waitMs, () => {
      this.#hasWaited = true;
      this.#answerIfDue();
    });
    this.receive(first);
  }

  receive(frame: Uint8Array): void {
    if (this.#reason === undefined) this.#call('receive', () => this.#handler?.receive(frame));
  }

  send(frames: readonly OutboundFrame[]): void {
    if (this.#reason !== undefined) return;
    this.#owner.telemetry.count('frames_sent', frames.length);
    for (const frame of frames) {
      for (const reply of repliesOf(frame)) {
        // The connect itself: without it no channel is asked for.
        if (reply.error !== undefined && reply.id !== undefined && !this.#poll.opening.asked.has(reply.id)) {
          this.#refuse(refusalOf(reply.error));
          return;
        }
        this.#answer.add(reply);
      }
    }
    this.#answerIfDue();
  }

  /** Nobody waits for a confirmation: nothing is in flight. */
  mark(): void {}

  /** It sent all it has to say with its request. */
  hold(): void {}

  close(kind: DisconnectKind, detail?: string): void {
    if (this.#reason !== undefined) return;
    // What was collected is told first; the next poll learns of the end.
    if (this.#answer.isComplete && this.#answer.hasNews) this.#respond();
    else this.#refuse(refusalOfClose(kind.code, detail ?? kind.reason), kind.code);
  }

  terminate(): void {
    this.#reason ??= { code: 1006, reason: 'terminated', byPeer: false };
    this.#response.destroy();
  }

  #answerIfDue(): void {
    if (this.#reason !== undefined || !this.#answer.isComplete) return;
    const { isEmpty, refusal } = this.#answer;
    if (isEmpty) this.#refuse(noChannels);
    else if (refusal !== undefined) this.#refuse(refusalOf(refusal));
    else if (this.#answer.hasNews || this.#hasWaited) this.#respond();
  }

  #respond(): void {
    this.#over(disconnects.connectionClosed.code, 'answered');
    if (this.#answer.skipped > 0) this.#owner.telemetry.count('poll_publications_dropped', this.#answer.skipped);
    this.#waiting = this.#owner.clock.after(answerTimeoutMs, () => {
      this.terminate();
    });
    const response = this.#response;
    const { cursor } = this.#answer;
    const headers = {
      ...this.#headers,
      'Cache-Control': 'no-cache, private',
      'X-Content-Type-Options': 'nosniff',
      // Without a position there is nothing to compare.
      'Access-Control-Expose-Headers': 'ETag',
      ...(cursor === '' ? {} : { ETag: `"${cursor}"` }),
    };
    if (response.destroyed) return;
    if (cursor !== '' && !this.#answer.hasNews && this.#poll.known.includes(cursor)) {
      response.writeHead(304, headers);
      response.end();
    } else {
      const body = this.#answer.body();
      const type = { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': String(body.length) };
      response.writeHead(200, { ...headers, ...type });
      response.end(body);
    }
    this.#settle(undefined);
  }

  #refuse(refusal: UpgradeRefusal, code: number = disconnects.connectionClosed.code): void {
    this.#over(code, refusal.message);
    this.#owner.ending(this);
    this.#settle(refusal);
  }

  #over(code: number, reason: string): void {
    this.#reason = { code, reason, byPeer: false };
    this.#waiting?.cancel();
    // In a turn of its own, because the session is in the middle of sending; it need not wait for the reader.
    this.#owner.clock.soon(() => {
      this.#endSession();
    });
  }

  #endSession(): void {
    const handler = this.#handler;
    const reason = this.#reason;
    this.#handler = undefined;
    if (handler !== undefined && reason !== undefined) this.#call('closed', () => handler.closed(reason));
  }

  #closed(): void {
    this.#waiting?.cancel();
    this.#owner.ended(this);
    this.#reason ??= { code: 1006, reason: '', byPeer: true };
    this.#settle(undefined);
    this.#endSession();
  }

  /** A handler never throws; where one does, its connection ends and the others go on (S23). */
  #call(method: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#owner.telemetry.count('bugs');
      this.#owner.telemetry.log.error({ error, method, transport: this.transport }, 'a connection handler threw');
      this.close(disconnects.internal);
    }
  }
}
