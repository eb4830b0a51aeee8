import type { Command, Reply } from './messages.ts';

/** A command as it came. */
export interface ReceivedCommand extends Command {
  /**
   * Never on the wire: a payload in it is JSON, but nested too deeply, with too many members, or with a
   * lone surrogate, and is missing here. The command is to be answered with this, as `badRequest`.
   */
  flaw?: string;
}

/**
 * How messages become frames on a node, and back.
 *
 * Promise: identity both ways; payload bytes are carried verbatim (JSON: line breaks between
 * tokens become spaces, because a line break ends a message). Bad input throws `BadFrame`, never
 * anything else. Decoded payloads are copies, so that keeping one does not pin the whole frame.
 */
export interface Codec {
  readonly name: 'json' | 'protobuf';
  /** Frames of this codec are binary on transports that tell text from binary. */
  readonly binary: boolean;
  /** All commands of one frame, in order. Throws `BadFrame`: nothing of the frame is to be acted on. */
  decodeCommands(frame: Uint8Array): ReceivedCommand[];
  /** One reply, as it stands inside a frame: JSON without the line break, Protobuf with its length. */
  encodeReply(reply: Reply): Uint8Array;
  /** Joins encoded replies into one frame; a single one is returned as it is. */
  joinReplies(encoded: readonly Uint8Array[]): Uint8Array;
  /** The other direction, for SDKs in binary mode, tests and tools. */
  encodeCommands(commands: readonly Command[]): Uint8Array;
  decodeReplies(frame: Uint8Array): Reply[];
}

/** The bytes are not a frame of this protocol. The message is for logs, and names the byte offset where known. */
export class BadFrame extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BadFrame';
  }
}

/** Bounds of one frame, whatever the transport allows (docs/spec: S13). */
export const frameBounds = {
  /**
   * Nesting of objects and arrays within one payload or unknown member, counted from its root, so that
   * both codecs accept the same payloads. The nesting around it is bounded by the schema.
   */
  depthMax: 32,
  /** Members of one object, payloads included. */
  keysMax: 1_000,
  /** Commands or replies in one frame. */
  messagesMax: 1_000,
} as const;
