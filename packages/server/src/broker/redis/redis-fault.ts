import { Fault } from '../../core/fault.ts';

/** What Redis answered, or that it did not. `code` is the first word of an error reply; empty where there was none. */
export class RedisFault extends Fault {
  readonly code: string;

  constructor(message: string, options: { code?: string; retryable?: boolean } = {}) {
    super('broker', message, { retryable: options.retryable ?? true });
    this.code = options.code ?? '';
  }
}

/** Somebody has to change the server or the settings first. */
const lasting = new Set(['NOPERM', 'WRONGPASS', 'NOAUTH', 'WRONGTYPE']);
const shownMax = 200;

/** The driver's error is not kept as the cause: it carries the command, and with it payloads and passwords (S29). */
export function faultOf(error: unknown, what: string): RedisFault {
  if (error instanceof RedisFault) return error;
  const said = error instanceof Error ? error.message : String(error);
  const isReply = error instanceof Error && error.name === 'ReplyError';
  const code = isReply ? (/^[A-Z]+/.exec(said)?.[0] ?? '') : '';
  return new RedisFault(`redis: ${what}: ${said.slice(0, shownMax)}`, { code, retryable: !lasting.has(code) });
}
