import type { Part } from './client-codec.ts';
import { clientErrors, TuttiError } from './tutti-error.ts';

/** An encoded command on its way out. */
export interface Outgoing {
  readonly part: Part;
  readonly bytes: number;
  /** 0: nobody waits for an answer. */
  readonly id: number;
}

/** Whom the server's refusal of a frame means: one command by its id, or a frame of several; undefined: no frame that was sent. */
export type Culprit = { readonly id: number } | 'several' | undefined;

interface Suspect {
  readonly bytes: number;
  readonly culprit: Culprit;
  /** Commands of it, and of later frames, have higher ids. */
  readonly afterId: number;
}

/** Commands of one frame that every server accepts (`frameBounds.messagesMax`). */
const frameCommandsMax = 1_000;

/**
 * How large frames may be, as far as the client knows (S13). Our servers say it with the connect
 * result. Of others, and before that, it is learned from frames that the server refused (close code
 * 1009): of several commands they are made smaller, and a single command is not sent again.
 */
export class FrameBound {
  readonly #wantedMax: number;
  #joinedMax: number;
  #commandMax = Infinity;
  /** The largest frame of this link that is not known to be accepted: if any was too large, it was. */
  #suspect: Suspect | undefined;
  #lastId = 0;

  /** `wantedMax`: bytes above which commands are not joined, whatever the server takes. */
  constructor(wantedMax: number) {
    this.#wantedMax = wantedMax;
    this.#joinedMax = wantedMax;
  }

  /** The server's word. */
  declared(bytes: number | undefined): void {
    if (!bytes) return;
    this.#commandMax = bytes;
    this.#joinedMax = Math.min(this.#wantedMax, bytes);
  }

  /** Throws `TuttiError` tooBig where one command is more than the server takes. */
  check(bytes: number): void {
    if (bytes <= this.#commandMax) return;
    const message = `${bytes} bytes are more than the server takes at once (${this.#commandMax})`;
    throw new TuttiError(clientErrors.tooBig, message);
  }

  /** The command may share a frame that has `commands` of `bytes` already, a line break between each two. */
  hasRoom(commands: number, bytes: number, command: Outgoing): boolean {
    return commands < frameCommandsMax && bytes + 1 + command.bytes <= this.#joinedMax;
  }

  linkOpened(): void {
    this.#suspect = undefined;
  }

  /** Called for each frame, in the order in which they are sent. */
  sent(frame: readonly Outgoing[], bytes: number): void {
    const [first, second] = frame;
    if (first !== undefined && bytes > (this.#suspect?.bytes ?? 0)) {
      const culprit = second === undefined ? { id: first.id } : 'several';
      this.#suspect = { bytes, culprit, afterId: this.#lastId };
    }
    for (const { id } of frame) this.#lastId = Math.max(this.#lastId, id);
  }

  /** Frames are read in order, so the one that held this command, and all before it, were accepted. */
  answered(id: number): void {
    if (this.#suspect !== undefined && id > this.#suspect.afterId) this.#suspect = undefined;
  }

  /** A frame was refused as too large. */
  refused(): Culprit {
    const suspect = this.#suspect;
    this.#suspect = undefined;
    if (suspect === undefined) return undefined;
    // A quarter, so that a few attempts suffice, whatever the bound.
    if (suspect.culprit === 'several') this.#joinedMax = Math.floor(suspect.bytes / 4);
    else this.#commandMax = suspect.bytes - 1;
    return suspect.culprit;
  }
}
