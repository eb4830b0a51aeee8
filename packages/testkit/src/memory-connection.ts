import type { Codec, Command, DisconnectKind, Push, Reply } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import type { Connection, ConnectionHandler, OutboundFrame } from '@tutti/server/internal';

/**
 * A link without a network: what a session sends is decoded and kept. `stalled` makes it a peer
 * that does not read: bytes stay in flight until `read()`.
 */
export class MemoryConnection implements Connection {
  readonly transport = 'memory';
  readonly codec: Codec;
  /** To be set before it is handed to a node. */
  remoteAddress = '127.0.0.1';
  /** Everything sent so far, pings (empty replies) left out. */
  readonly replies: Reply[] = [];
  /** Commands sent with an id. */
  readonly asked = new Map<number, Command>();
  pings = 0;
  /** Writes: calls of `send`. */
  writes = 0;
  closedWith: DisconnectKind | undefined;
  isTerminated = false;
  stalled = false;
  inFlight = 0;
  /** Milliseconds of all holds together; a hold itself changes nothing here. */
  heldMs = 0;
  /** Called for each reply, inside the session's own write: answer later, as a network would. */
  onReply: ((reply: Reply) => void) | undefined;
  #handler: ConnectionHandler | undefined;
  #commandId = 0;

  constructor(codec: Codec = jsonCodec) {
    this.codec = codec;
  }

  attach(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  send(frames: readonly OutboundFrame[]): void {
    this.writes += 1;
    for (const frame of frames) {
      if (this.stalled) this.inFlight += frame.bytes.length;
      for (const reply of this.codec.decodeReplies(frame.bytes)) {
        if (Object.keys(reply).length === 0) this.pings += 1;
        else this.#keep(reply);
      }
    }
  }

  #keep(reply: Reply): void {
    this.replies.push(reply);
    this.onReply?.(reply);
  }

  close(kind: DisconnectKind): void {
    if (this.closedWith !== undefined) return;
    this.closedWith = kind;
    this.#handler?.closed({ code: kind.code, reason: kind.reason, byPeer: false });
  }

  terminate(): void {
    this.isTerminated = true;
    this.drop();
  }

  hold(ms: number): void {
    this.heldMs += ms;
  }

  /** A peer that reads has taken everything already. */
  mark(): void {}

  /** The peer took what was in flight, and goes on reading. */
  read(roundTripMs?: number): void {
    const aheadBytes = this.inFlight;
    this.stalled = false;
    this.inFlight = 0;
    this.#handler?.confirmed(roundTripMs, aheadBytes);
  }

  /** The network went away. */
  drop(): void {
    if (this.closedWith === undefined) this.#handler?.closed({ code: 1006, reason: '', byPeer: true });
  }

  /** Sends commands in one frame, giving ids; returns the ids. */
  command(...commands: Command[]): number[] {
    const numbered = commands.map((command) =>
      command.send !== undefined ? command : { id: ++this.#commandId, ...command },
    );
    for (const command of numbered) if (command.id !== undefined) this.asked.set(command.id, command);
    this.receive(this.codec.encodeCommands(numbered));
    return numbered.map((command) => command.id ?? 0);
  }

  pong(): void {
    this.receive(this.codec.encodeCommands([{}]));
  }

  /** Raw bytes from the peer. */
  receive(frame: Uint8Array): void {
    this.#handler?.receive(frame);
  }

  replyTo(id: number | undefined): Reply | undefined {
    return this.replies.find((reply) => reply.id === id);
  }

  pushes(channel: string): Push[] {
    return this.replies.flatMap((reply) => (reply.push?.channel === channel ? [reply.push] : []));
  }

  /** Offsets of the publications pushed in a channel, in the order of their arrival. */
  offsets(channel: string): number[] {
    return this.pushes(channel).flatMap((push) => (push.pub === undefined ? [] : [push.pub.offset ?? 0]));
  }
}
