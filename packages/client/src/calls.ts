import type { Command, Reply } from '@tutti/protocol';
import type { ClientCodec, Part } from './client-codec.ts';
import type { FrameBound, Outgoing } from './frame-bound.ts';
import { soon } from './platform.ts';

export type CommandBody = Omit<Command<unknown>, 'id'>;
export type OnReply = (reply: Reply<unknown>) => void;

/**
 * Commands of one link: gives them ids, joins those of one turn of the loop into one frame, and
 * hands each reply to who asked. Bounded by its callers: the outbox by `pendingMax`, a
 * subscription by having one command under way.
 */
export class Calls {
  readonly #codec: ClientCodec;
  readonly #frames: FrameBound;
  readonly #write: (commands: Outgoing[]) => void;
  #lastId = 0;
  readonly #waiting = new Map<number, OnReply>();
  #gathered: Outgoing[] = [];

  constructor(codec: ClientCodec, frames: FrameBound, write: (commands: Outgoing[]) => void) {
    this.#codec = codec;
    this.#frames = frames;
    this.#write = write;
  }

  /** Commands that leave at the end of this turn. */
  get gathered(): number {
    return this.#gathered.length;
  }

  /** Throws where the command cannot be encoded, or is more than the server takes; then nothing is sent. Returns the id. */
  call(body: CommandBody, onReply: OnReply): number {
    const id = ++this.#lastId;
    this.#add(this.#codec.encode({ id, ...body }), id);
    this.#waiting.set(id, onReply);
    return id;
  }

  /** A command without an answer. Throws as `call`. */
  tell(body: CommandBody): void {
    this.#add(this.#codec.encode(body), 0);
  }

  forget(id: number): void {
    this.#waiting.delete(id);
  }

  /** A reply nobody waits for (any more) is no fault: its asker gave up. */
  answer(reply: Reply<unknown>): void {
    const { id } = reply;
    if (id === undefined) return;
    this.#frames.answered(id);
    const onReply = this.#waiting.get(id);
    this.#waiting.delete(id);
    onReply?.(reply);
  }

  /** Writes what has gathered; called by itself at the end of the turn. */
  flush(): void {
    if (this.#gathered.length === 0) return;
    const commands = this.#gathered;
    this.#gathered = [];
    this.#write(commands);
  }

  /** The link is gone: no reply will come, and what was not written is not. */
  clear(): void {
    this.#waiting.clear();
    this.#gathered = [];
  }

  #add(part: Part, id: number): void {
    const bytes = this.#codec.sizeOf(part);
    this.#frames.check(bytes);
    if (this.#gathered.push({ part, bytes, id }) === 1) soon(() => this.flush());
  }
}
