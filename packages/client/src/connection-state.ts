/**
 * - disconnected: not connected, and will not connect by itself
 * - connecting: an attempt is under way
 * - waiting: between attempts
 * - connected: the server accepted
 * - closed: `close()` was called; for good
 */
export type ConnectionState = 'disconnected' | 'connecting' | 'waiting' | 'connected' | 'closed';

export type ConnectionEvent =
  /** `connect()` was called. */
  | 'connect'
  /** The server answered the connect command. */
  | 'accepted'
  /** The attempt or the connection failed in a way that may pass. */
  | 'lost'
  /** It failed in a way that will not pass: terminal close code, permanent error, no token. */
  | 'refused'
  /** The back-off is over. */
  | 'retry'
  | 'online'
  | 'offline'
  | 'disconnect'
  | 'close';

/** What is done on the way: `open` an attempt, `resume` work, `wait` (drop the link, back off), `hasten` the retry, `stop` everything. */
export type ConnectionAct = 'none' | 'open' | 'resume' | 'wait' | 'hasten' | 'stop';

interface Cell {
  readonly to: ConnectionState;
  readonly act: ConnectionAct;
}

function cell(to: ConnectionState, act: ConnectionAct = 'none'): Cell {
  return { to, act };
}

/** A full Record: a missing cell does not compile. A cell that stays with `none` says the event changes nothing. */
export const connectionTable: Record<ConnectionState, Record<ConnectionEvent, Cell>> = {
  disconnected: {
    connect: cell('connecting', 'open'),
    accepted: cell('disconnected'),
    lost: cell('disconnected'),
    refused: cell('disconnected'),
    retry: cell('disconnected'),
    online: cell('disconnected'),
    offline: cell('disconnected'),
    disconnect: cell('disconnected'),
    close: cell('closed', 'stop'),
  },
  connecting: {
    connect: cell('connecting'),
    accepted: cell('connected', 'resume'),
    lost: cell('waiting', 'wait'),
    refused: cell('disconnected', 'stop'),
    retry: cell('connecting'),
    online: cell('connecting'),
    // Browsers say offline without knowing of loopback or VPNs: an attempt may still succeed.
    offline: cell('connecting'),
    disconnect: cell('disconnected', 'stop'),
    close: cell('closed', 'stop'),
  },
  waiting: {
    connect: cell('connecting', 'open'),
    accepted: cell('waiting'),
    lost: cell('waiting'),
    refused: cell('disconnected', 'stop'),
    retry: cell('connecting', 'open'),
    online: cell('waiting', 'hasten'),
    offline: cell('waiting'),
    disconnect: cell('disconnected', 'stop'),
    close: cell('closed', 'stop'),
  },
  connected: {
    connect: cell('connected'),
    accepted: cell('connected'),
    lost: cell('waiting', 'wait'),
    refused: cell('disconnected', 'stop'),
    retry: cell('connected'),
    online: cell('connected'),
    offline: cell('waiting', 'wait'),
    disconnect: cell('disconnected', 'stop'),
    close: cell('closed', 'stop'),
  },
  closed: {
    connect: cell('closed'),
    accepted: cell('closed'),
    lost: cell('closed'),
    refused: cell('closed'),
    retry: cell('closed'),
    online: cell('closed'),
    offline: cell('closed'),
    disconnect: cell('closed'),
    close: cell('closed'),
  },
};
