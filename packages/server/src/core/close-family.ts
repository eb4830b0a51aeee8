import { disconnects, isReconnectCode } from '@tutti/protocol';

/** Why connections end, in the few words that operators ask for. A label of the metrics. */
export type CloseFamily = 'peer' | 'shutdown' | 'slow' | 'no_pong' | 'reconnect' | 'refused';

/** `code`: with which the node closed the connection; undefined where the peer, or the network, ended it. */
export function closeFamily(code: number | undefined): CloseFamily {
  switch (code) {
    case undefined:
      return 'peer';
    case disconnects.shutdown.code:
      return 'shutdown';
    case disconnects.slow.code:
      return 'slow';
    case disconnects.noPong.code:
      return 'no_pong';
    default:
      // Below 3000 are WebSocket's own codes, for peers that broke its rules.
      return code >= 3_000 && isReconnectCode(code) ? 'reconnect' : 'refused';
  }
}
