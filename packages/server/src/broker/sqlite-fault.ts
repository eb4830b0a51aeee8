import { Fault } from '../core/fault.ts';

/** Primary result codes, https://www.sqlite.org/rescode.html. The low byte of an extended code. */
const codes = { busy: 5, ioError: 10, corrupt: 11, full: 13, cantOpen: 14, readOnly: 8, notADatabase: 26 } as const;

export interface WriteFailure {
  readonly fault: Fault;
  /** Nothing more is believed of the open database: it must be opened anew. */
  readonly isOver: boolean;
}

/** The primary SQLite code of an error of `node:sqlite`; undefined for other errors. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

export function isFull(error: unknown): boolean {
  return sqliteCode(error) === codes.full;
}

export function isBusy(error: unknown): boolean {
  return sqliteCode(error) === codes.busy;
}

/**
 * What a failed transaction means. A full disk leaves the database as it was. After any other failure
 * of input or output nothing held in memory is believed: after a failed fsync the system may have
 * thrown the pages away and marked them clean, so a second fsync would answer well and prove nothing.
 */
export function writeFailure(error: unknown, dataDir: string): WriteFailure {
  if (error instanceof Fault) return { fault: error, isOver: false };
  const what = error instanceof Error ? error.message : String(error);
  const fault = (reason: string, retryable: boolean): Fault =>
    new Fault('broker', `the log cannot accept writes: ${reason} (${what})`, { retryable, cause: error });
  switch (sqliteCode(error)) {
    case codes.full:
      return { fault: fault(`disk full; free space for ${dataDir}`, true), isOver: false };
    case codes.ioError:
      return { fault: fault(`input or output failed in ${dataDir}; the outcome is unknown`, true), isOver: true };
    case codes.corrupt:
    case codes.notADatabase:
      return { fault: fault(`the database in ${dataDir} is damaged; restore a copy`, false), isOver: true };
    case codes.readOnly:
      return { fault: fault(`${dataDir} is read-only`, true), isOver: true };
    default:
      return { fault: fault('unexpected failure', true), isOver: true };
  }
}

/** Why the database could not be opened, for who starts the node. */
export function openFailure(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error;
  const what = error instanceof Error ? error.message : String(error);
  switch (sqliteCode(error)) {
    case codes.full:
    case codes.ioError:
      return new Fault('broker', `cannot open the log ${path}: ${what}`, { retryable: true, cause: error });
    case codes.corrupt:
    case codes.notADatabase:
      return new Fault('broker', `${path} is damaged or no database; restore a copy`, {
        retryable: false,
        cause: error,
      });
    default:
      return new Fault('broker', `cannot open the log ${path}: ${what}`, { retryable: false, cause: error });
  }
}
