/** One process of a cluster. A process that is started again has the same name and another incarnation. */
export interface Peer {
  readonly name: string;
  readonly incarnation: string;
}

/** What the nodes answered to one question. */
export interface Survey<Answer> {
  readonly answers: readonly { readonly peer: Peer; readonly answer: Answer }[];
  /** Names of nodes that are thought to live and did not answer in time, or not in a form that is understood. */
  readonly silent: readonly string[];
}

/** Turns what another node wrote into what it should be. Throws `BadMessage` for everything else (S25). */
export type ReadMessage<Message> = (value: unknown) => Message;

export interface PeerEvents {
  /** Heard of for the first time, or again after it was taken for gone. */
  up?(peer: Peer): void;
  /** Said good-bye, or was silent for the lease: what it had is gone with it. */
  down?(peer: Peer): void;
}

/**
 * The other nodes, for whoever has something to say to them. Messages are values that JSON can carry; each
 * belongs to a topic, and is read before anybody sees it. At most once, in order per sender; what matters
 * is repaired by its topic. A node alone has no peers, and all of this does nothing (`SolePeers`).
 *
 * Topics are taken before `start`.
 */
export interface Peers {
  readonly self: Peer;
  /** Those that are thought to live, without this one. */
  readonly others: readonly Peer[];
  watch(events: PeerEvents): void;
  /** Takes what is told in a topic. `heard` never throws. */
  hear<Message>(topic: string, read: ReadMessage<Message>, heard: (from: Peer, message: Message) => void): void;
  /** Tells all others. */
  tell(topic: string, message: unknown): void;
  tellOne(peer: Peer, topic: string, message: unknown): void;
  /** What every heartbeat tells in a topic: `make` is called right before, and may `tell` what has to come first. */
  beat(topic: string, make: () => unknown): void;
  /** Answers the questions of a topic. A throw is no answer, and is logged. */
  answer<Question>(
    topic: string,
    read: ReadMessage<Question>,
    answer: (question: Question, from: Peer) => unknown,
  ): void;
  /**
   * Asks all others (or those called `only`), and waits for the answers of those that live, at most `withinMs`.
   * Never throws but for too many at once (`Fault`). With nobody to ask it resolves at once, in the same turn.
   */
  survey<Answer>(
    topic: string,
    question: unknown,
    read: ReadMessage<Answer>,
    options?: { readonly withinMs?: number; readonly only?: string },
  ): Promise<Survey<Answer>>;
}
