/**
 * Codes of errors made by the SDK itself; below 100, where the server's begin. The server's own
 * (100 up) are listed in the reference page of errors.
 */
export const clientErrors = {
  /** No answer in time. For a publish the outcome is unknown: repeat it with `idempotencyKey`. */
  timeout: 1,
  /** The connection was lost before the answer, and repeating the command is not known to be safe. */
  connectionLost: 2,
  /** `close()` was called. */
  closed: 3,
  /** The client is disconnected and will not connect by itself. */
  disconnected: 4,
  /** As many requests wait as `pendingMax` allows. */
  tooManyPending: 5,
  /** A listener of the application threw; `cause` is what it threw. */
  listener: 6,
  /** The server sent what is not a frame of this protocol. */
  badFrame: 7,
  /** The token getter failed; `cause` is its error. */
  token: 8,
  /** A `for await` loop reads more slowly than publications come. */
  slowReader: 9,
  /** The subscription ended. */
  unsubscribed: 10,
  /** The command is larger than the server takes; it did not take effect. */
  tooBig: 11,
} as const;

/** Every error of the SDK, and every refusal by the server. */
export class TuttiError extends Error {
  readonly code: number;
  /** True: the same request may succeed later. */
  readonly temporary: boolean;
  /** Of a publish whose outcome is unknown: repeat with this key, and it takes effect at most once. */
  declare readonly idempotencyKey?: string;

  constructor(
    code: number,
    message: string,
    options: { temporary?: boolean; idempotencyKey?: string; cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'TuttiError';
    this.code = code;
    this.temporary = options.temporary ?? false;
    if (options.idempotencyKey !== undefined) this.idempotencyKey = options.idempotencyKey;
  }
}

/** Server errors worth another try: SDK rule of the protocol (code below 100, temporary, token expired). What is too big stays so. */
export function isWorthRetrying({ code, temporary }: { code: number; temporary?: boolean | undefined }): boolean {
  return temporary === true || (code < 100 && code !== clientErrors.tooBig) || code === 109;
}
