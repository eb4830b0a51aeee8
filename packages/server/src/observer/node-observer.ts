import type { Position } from '@tutti/protocol';
import type { PublicationDraft } from '../broker/broker.ts';

/**
 * Who is told what happens to the sessions and channels of this node: webhooks, in-process hooks.
 *
 * Every method is called in the turn in which the thing happened, on the node's hot path: it keeps
 * what it needs, returns at once, and does its work later. It must not throw (what it throws is
 * counted as a bug, and changes nothing), and must not steer the node from inside the call: a
 * disconnect from within `subscribed` would end a session in the middle of its own command.
 * A method that is absent costs nothing.
 *
 * Told is what happens on this node alone: where a user is on two nodes, each tells of its own. A
 * process that is killed tells nothing.
 *
 * Channels are named as the node knows them, with their tenant (`acme*chat:general`, config/tenant.ts).
 *
 * The order of one session: `connected`, then `subscribed` and `unsubscribed` in pairs, then
 * `disconnected`. When it ends, its subscriptions end first. Of one channel: `occupied` before its
 * first `subscribed`, `vacated` after its last `unsubscribed`.
 */
export interface NodeObserver {
  /** Its connect was answered. Who fails to authenticate is never told of. */
  connected?(session: SessionFacts): void;
  /** Once for each `connected`. */
  disconnected?(session: SessionFacts, ending: SessionEnding): void;
  /** By its client or by the server; the answer is on its way. */
  subscribed?(session: SessionFacts, channel: string): void;
  /** `code` and `reason` are of `unsubscribes` in the protocol: 0 the client asked, 1 the connection ended. */
  unsubscribed?(session: SessionFacts, channel: string, ending: Ending): void;
  /** The first subscriber on this node. */
  occupied?(channel: string): void;
  /** The last subscriber on this node is gone. */
  vacated?(channel: string): void;
  /** Whether `published` is wanted for the channels of a namespace. Asked at every publish: a look into a set. */
  observesPublished?(namespace: string): boolean;
  /**
   * This node's broker has accepted it, so it keeps what the channel promises; a repetition that was answered
   * with the first outcome is not told. `draft` is the broker's own: not to be changed. No position where the
   * channel keeps no history.
   */
  published?(channel: string, draft: PublicationDraft, position: Position | undefined): void;
}

export interface SessionFacts {
  /** Id of the session. */
  readonly client: string;
  /** Empty: anonymous. */
  readonly user: string;
  /** Whose user it is; absent: of no tenant. */
  readonly tenant?: string;
  /** `websocket`, `sse`, … */
  readonly transport: string;
  readonly codec: string;
  readonly remoteAddress: string;
  /** What the application gave with the token, for others to see. Not to be changed. */
  readonly info?: Uint8Array;
  /** Bytes that wait for the connection, here and on their way. */
  readonly lagBytes: number;
}

export interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** `code`: a close code. `byPeer`: the client, or the network, ended it; the reason is then a stranger's text. */
export interface SessionEnding extends Ending {
  readonly byPeer: boolean;
}
