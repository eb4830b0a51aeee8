import { protobufCodec } from '@tutti/protocol/protobuf';
import type { ClientCodec } from './client-codec.ts';
import { protobufHttp } from './protobuf-http.ts';
import { convertCommand, convertReply, type Convert } from './payloads.ts';
import { utf8 } from './platform.ts';
import { wellFormedJson } from './well-formed-json.ts';

export interface ProtobufOptions {
  /** `json` (default): payloads are JSON values, as with the JSON codec. `bytes`: they are `Uint8Array`s, untouched. */
  payload?: 'json' | 'bytes';
}

/** The Protobuf codec: `new Tutti(url, { codec: protobuf() })`. */
export function protobuf({ payload = 'json' }: ProtobufOptions = {}): ClientCodec {
  const encode: Convert<unknown, Uint8Array> = payload === 'json' ? encodeJson : assertBytes;
  const decode: Convert<Uint8Array, unknown> = payload === 'json' ? decodeJson : (bytes) => bytes;
  return {
    name: 'protobuf',
    subprotocol: 'centrifuge-protobuf',
    encode: (command) => protobufCodec.encodeCommands([convertCommand(command, encode)]) as Uint8Array<ArrayBuffer>,
    join: (parts) => protobufCodec.joinReplies(parts as Uint8Array[]) as Uint8Array<ArrayBuffer>,
    sizeOf: (part) => part.length,
    http: protobufHttp,
    decode(frame) {
      if (!(frame instanceof ArrayBuffer)) throw new TypeError('expected a binary frame');
      return protobufCodec.decodeReplies(new Uint8Array(frame)).map((reply) => convertReply(reply, decode));
    },
  };
}

function encodeJson(value: unknown): Uint8Array {
  return utf8.encode(wellFormedJson(value));
}
function decodeJson(bytes: Uint8Array): unknown {
  return bytes.length === 0 ? undefined : JSON.parse(utf8.decode(bytes));
}
function assertBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError("with payload: 'bytes' every payload must be a Uint8Array");
}
