export type * from './messages.ts';
export { BadFrame, frameBounds, type Codec, type ReceivedCommand } from './codec.ts';
export { publicationBytes } from './publication-bytes.ts';
export { Rejection, rejections, type RejectionKind } from './errors.ts';
export {
  Disconnect,
  disconnects,
  isDisconnectCode,
  isReconnectCode,
  unsubscribes,
  type DisconnectKind,
} from './close-codes.ts';
