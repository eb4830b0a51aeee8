import { Fault } from '../../core/fault.ts';
import { tlsAdvice } from '../connect-advice.ts';
import type { TlsFiles } from '../tls-files.ts';

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
/** What to do about them. */
const advices: Record<string, string | undefined> = {
  WRONGPASS: 'it does not accept the user and password in engine',
  NOAUTH:
    'it asks who this node is: write redis://user:password@… in engine (redis://:password@… for the default user)',
  NOPERM: 'give the user the permissions that docs/guides/choosing-an-engine.md lists',
};
const shownMax = 200;

/** The driver's error is not kept as the cause: it carries the command, and with it payloads and passwords (S29). */
export function faultOf(error: unknown, what: string, shown?: TlsFiles): RedisFault {
  if (error instanceof RedisFault) return error;
  const said = error instanceof Error ? error.message : String(error);
  const isReply = error instanceof Error && error.name === 'ReplyError';
  const code = isReply ? (/^[A-Z]+/.exec(said)?.[0] ?? '') : '';
  const advice = tlsAdvice(error, shown) ?? advices[code];
  const text = `redis: ${what}: ${said.slice(0, shownMax)}${advice === undefined ? '' : `: ${advice}`}`;
  return new RedisFault(text, { code, retryable: !lasting.has(code) });
}
