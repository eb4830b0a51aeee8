/**
 * An adapter failed: the log, the bus, the database, a hook. For operators; never crosses the
 * wire as it is (a client gets rejection 100 or 120 in its place).
 */
export class Fault extends Error {
  readonly seam: string;
  /** True: the same call may succeed later without anybody changing anything but the outside world. */
  readonly retryable: boolean;

  constructor(seam: string, message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'Fault';
    this.seam = seam;
    this.retryable = options.retryable;
  }
}
