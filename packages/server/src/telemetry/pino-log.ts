import { pino, type DestinationStream, type Logger } from 'pino';
import type { Clock } from '../core/clock.ts';
import { prettyLine, type LogLevel } from './pretty-line.ts';
import { safeFields, safeText } from './safe-fields.ts';
import type { Log } from './telemetry.ts';

type Write = (level: LogLevel, fields: Record<string, unknown>, message: string) => void;

export interface LogOptions {
  readonly level: LogLevel | 'silent';
  /** Lines for people in place of JSON; `color` besides. For terminals. */
  readonly pretty?: boolean;
  readonly color?: boolean;
  /** Fields on every line, such as the node's name. */
  readonly base?: Readonly<Record<string, string>>;
  /** Default: standard output, not waited for; what is buffered is written at exit. */
  readonly destination?: DestinationStream;
}

const ranks: Readonly<Record<LogOptions['level'], number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };
/** Lines with one message in one second. A stranger must not fill the disk (S29). */
const repeatsMax = 50;
const spanMs = 1_000;
const messagesMax = 500;

/** Log lines as JSON by pino, or for people. Never throws: a log that fails is not worth a session. */
export class PinoLog implements Log {
  readonly #clock: Clock;
  readonly #rank: number;
  readonly #write: Write;
  readonly #seen = new Map<string, { sinceMs: number; count: number }>();

  constructor(options: LogOptions, clock: Clock) {
    this.#clock = clock;
    this.#rank = ranks[options.level];
    const destination = options.destination ?? pino.destination({ dest: 1, sync: false });
    this.#write = options.pretty === true ? this.#people(options, destination) : this.#machines(options, destination);
  }

  debug(fields: Record<string, unknown>, message: string): void {
    this.#line('debug', fields, message);
  }

  info(fields: Record<string, unknown>, message: string): void {
    this.#line('info', fields, message);
  }

  warn(fields: Record<string, unknown>, message: string): void {
    this.#line('warn', fields, message);
  }

  error(fields: Record<string, unknown>, message: string): void {
    this.#line('error', fields, message);
  }

  #line(level: LogLevel, fields: Record<string, unknown>, message: string): void {
    if (ranks[level] < this.#rank) return;
    try {
      const suppressed = this.#suppressedBefore(message);
      if (suppressed === undefined) return;
      const safe = safeFields(fields);
      if (suppressed > 0) safe['suppressed'] = suppressed;
      this.#write(level, safe, safeText(message));
    } catch {
      // A field whose getter throws, a destination that is gone: nobody is left to be told.
    }
  }

  /** How many lines with this message were left out before this one; undefined where this one is, too. */
  #suppressedBefore(message: string): number | undefined {
    const nowMs = this.#clock.monotonic();
    const seen = this.#seen.get(message);
    if (seen === undefined || nowMs - seen.sinceMs >= spanMs) {
      // Messages are constants of the program, so this bound is met by mistakes only.
      if (this.#seen.size >= messagesMax) this.#seen.clear();
      this.#seen.set(message, { sinceMs: nowMs, count: 1 });
      return seen === undefined ? 0 : Math.max(0, seen.count - repeatsMax);
    }
    seen.count++;
    return seen.count > repeatsMax ? undefined : 0;
  }

  #machines(options: LogOptions, destination: DestinationStream): Write {
    const logger: Logger = pino(
      {
        level: options.level,
        base: options.base ?? {},
        messageKey: 'message',
        timestamp: () => `,"time":"${new Date(this.#clock.now()).toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
      },
      destination,
    );
    return (level, fields, message) => {
      logger[level](fields, message);
    };
  }

  #people(options: LogOptions, destination: DestinationStream): Write {
    return (level, fields, message) => {
      destination.write(prettyLine(this.#clock.now(), level, fields, message, options.color ?? false));
    };
  }
}
