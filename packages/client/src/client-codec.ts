import type { Command, Reply } from '@tutti/protocol';

export type Part = string | Uint8Array<ArrayBuffer>;

/**
 * How the SDK's messages become frames, and back. Payloads are application values here: what they
 * are on the wire is the codec's affair.
 */
export interface ClientCodec {
  readonly name: 'json' | 'protobuf';
  /** WebSocket subprotocol to ask for; none for JSON. */
  readonly subprotocol?: string;
  /** One command, as it stands inside a frame. Throws where the payload cannot be encoded. */
  encode(command: Command<unknown>): Part;
  join(parts: readonly Part[]): Part;
  /** Bytes of an encoded command, alone in its frame. */
  sizeOf(part: Part): number;
  /** All replies of one frame. Throws on bad input. */
  decode(frame: unknown): Reply<unknown>[];
  /** How frames stand in the bodies of plain HTTP. Absent: it goes over WebSocket only. */
  readonly http?: HttpForm;
}

export interface HttpForm {
  /** Of the bodies; absent for text. */
  readonly type?: string;
  /** For one response: takes its chunks in order, and gives what `decode` can take, as soon as there is something whole. */
  reader(): (chunk: Uint8Array) => unknown;
  /** A frame for a stream, in a request of its own. */
  envelope(session: string, node: string, data: Part): Part;
}
