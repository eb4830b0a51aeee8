import type { headers } from '@nats-io/transport-node';
import { Fault } from '../../core/fault.ts';
import type { Elections } from './elections.ts';
import type { Place } from './log-reader.ts';
import type { NatsLink } from './nats-link.ts';
import { recordOverheadBytes } from './record.ts';

export interface RecordSenderOptions {
  readonly link: NatsLink;
  readonly elections: Elections;
  /** Milliseconds one attempt may take. */
  readonly attemptMs: number;
  /** Bounds the appends that a node has under way, of all channels together. */
  readonly enter: () => Promise<void> | undefined;
  readonly leave: () => void;
}

/** What NATS said to an append. */
export interface Ack {
  readonly seq: number;
  readonly duplicate: boolean;
}

const codes = { wrongSequence: 10071, wrongSequenceUnknown: 10164, tooLarge: 10054 } as const;

/** Sends a record to its stream, once, and hears what the stream says. */
export class RecordSender {
  readonly #options: RecordSenderOptions;

  constructor(options: RecordSenderOptions) {
    this.#options = options;
  }

  /**
   * `onSent`: called in the turn in which it goes out. From then on, whatever is thrown (`Fault`, or the driver's), it
   * may be in the stream, or come there yet.
   */
  async send(
    { stream, subject }: Pick<Place, 'stream' | 'subject'>,
    bytes: Uint8Array,
    wanted: ReturnType<typeof headers>,
    onSent: () => void = () => {},
  ): Promise<Ack | Refused> {
    const { link, elections, attemptMs, enter, leave } = this.#options;
    mustFit(link, bytes);
    await enter();
    try {
      if (link.isUp) onSent();
      const asked = link.request(subject, bytes, { headers: wanted, timeoutMs: attemptMs });
      const message = await elections.guard(stream, asked);
      const answer = message.json<Partial<Ack> & { error?: { err_code?: number; description?: string } }>();
      if (answer.error !== undefined) return new Refused(answer.error.err_code ?? 0, answer.error.description ?? '');
      return { seq: answer.seq ?? 0, duplicate: answer.duplicate === true };
    } finally {
      leave();
    }
  }
}

/** NATS understood, and did not append. */
export class Refused {
  readonly code: number;
  readonly #description: string;

  constructor(code: number, description: string) {
    this.code = code;
    this.#description = description;
  }

  /** As NATS says where the subject's last message is another than expected. */
  static wrongSequence(description: string): Refused {
    return new Refused(codes.wrongSequence, description);
  }

  get isWrongSequence(): boolean {
    return this.code === codes.wrongSequence || this.code === codes.wrongSequenceUnknown;
  }

  get fault(): Fault {
    const why = this.isWrongSequence ? 'too many nodes publish to this channel at once' : this.#description;
    return new Fault('broker', `NATS did not append: ${why}`, { retryable: this.code !== codes.tooLarge });
  }
}

/** Throws a lasting `Fault` for what NATS would not take. */
export function mustFit(link: NatsLink, bytes: Uint8Array): void {
  const bytesMax = link.connection.info?.max_payload ?? Infinity;
  // Republished with headers that say where it lies.
  if (bytes.byteLength + recordOverheadBytes <= bytesMax) return;
  const message = `a publication of ${bytes.byteLength} bytes is too large for this NATS: raise its max_payload (now ${bytesMax})`;
  throw new Fault('broker', message, { retryable: false });
}
