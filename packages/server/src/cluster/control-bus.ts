/**
 * Messages between the nodes of a cluster, besides publications: who is there, who is to be
 * disconnected, who joined a channel. Bytes in, bytes out: what they say, who sent them and whether that
 * is true is looked after above it (`envelope.ts`), so an implementation stays tiny.
 *
 * Delivery: at most once; what one node sends to the same destination arrives in that order while both
 * are connected. Loss is allowed and is repaired above, so nothing is kept, and nobody waits.
 * An implementation is made with the name of its own node (`isNodeName`; it may hold dots).
 * Every implementation passes testkit's `controlBusConformance`.
 */
export interface ControlBus {
  /** Called once, before anything else. After it resolves, what is sent to this node arrives. Throws `Fault`. */
  start(events: ControlBusEvents): Promise<void>;

  /**
   * To every node called `node`: usually one, none while it is away, two while an old process of that name
   * still lives. Never throws and never waits; while the bus is not connected the message is lost.
   * At most `controlMessageBytesMax` bytes, which the caller does not touch any more.
   */
  send(node: string, message: Uint8Array): void;

  /** To every other node. The sender may or may not get it back, and ignores it. Otherwise like `send`. */
  broadcast(message: Uint8Array): void;

  /** What was sent before it leaves, as far as the connection still allows. Then nothing arrives, and sending does nothing. Idempotent. */
  close(): Promise<void>;
}

export interface ControlBusEvents {
  /** Bytes as they were sent, for this node. Never throws. */
  message(bytes: Uint8Array): void;

  /**
   * The connection broke and is whole again: messages may have been lost meanwhile, and nothing later need
   * reveal which. Told after each such break; too often does no harm. Never throws.
   */
  interrupted(): void;
}

/** Bytes of one message. Well below what servers take by default (NATS: 1 MiB). */
export const controlMessageBytesMax = 256 * 1024;

/** Of those, for what a message says; the rest is for what stands around it (`envelope.ts`). */
export const bodyBytesMax: number = controlMessageBytesMax - 1_024;

/** Names that every bus can address: no wildcard, no space, nothing that ends a subject. */
export function isNodeName(name: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/.test(name) && !name.includes('..');
}
