/** The server refused, and says why. What was asked for did not happen. */
export class ApiError extends Error {
  /** Of the catalogue of errors, such as 102, unknown channel. */
  readonly code: number;
  /** 200 where a method refused; else the caller was refused before (401: the key, 403: its rights, 503: busy). */
  readonly status: number;
  /** The same may succeed later. */
  readonly temporary: boolean;
  /** What to do about it; empty where the message says it. */
  readonly remedy: string;

  constructor(status: number, error: { code: number; message: string; temporary?: boolean; remedy?: string }) {
    super(error.message);
    this.name = 'ApiError';
    this.status = status;
    this.code = error.code;
    this.temporary = error.temporary === true;
    this.remedy = error.remedy ?? '';
  }
}

/**
 * No answer came, or none of this API. Whether what was asked for happened is not known: repeat it
 * only where that does no harm, as with an idempotency key.
 */
export class ApiUnavailable extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ApiUnavailable';
  }
}
