/**
 * The two JSON hot paths against what the platform offers: `node packages/protocol/src/json/scanner.bench.ts`.
 * Ratios matter, not times: both sides of each run in turns, in one process.
 */
import { jsonCodec } from './index.ts';
import { protobufCodec } from '../protobuf/index.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function nanoseconds(work: () => unknown, rounds: number): number {
  const start = performance.now();
  for (let i = 0; i < rounds; i++) work();
  return ((performance.now() - start) * 1e6) / rounds;
}

/** The best of several turns each, taken alternately, so that a busy machine hurts both alike. */
function compare(name: string, ours: () => unknown, theirs: () => unknown, rounds: number): void {
  let oursNs = Infinity;
  let theirsNs = Infinity;
  for (let turn = 0; turn < 7; turn++) {
    oursNs = Math.min(oursNs, nanoseconds(ours, rounds));
    theirsNs = Math.min(theirsNs, nanoseconds(theirs, rounds));
  }
  const figures = { name, oursNs: Math.round(oursNs), theirsNs: Math.round(theirsNs) };
  process.stdout.write(`${JSON.stringify({ ...figures, ratio: Math.round((oursNs / theirsNs) * 100) / 100 })}\n`);
}

const payloads: Record<string, string> = {
  small: '{"text":"hello, world","n":1}',
  oneKb: JSON.stringify({
    user: 'ann',
    tags: ['a', 'b', 'c'],
    body: 'lorem ipsum '.repeat(60),
    at: [1.5, 2.5, 3],
    x: null,
  }),
  numbers: JSON.stringify(Array.from({ length: 200 }, (_, i) => ({ id: i, price: i * 1.25, up: i % 2 === 0 }))),
  unicode: JSON.stringify({ text: 'Привет, мир! 漢字 🎺 '.repeat(30) }),
};

for (const [name, payload] of Object.entries(payloads)) {
  const rounds = Math.ceil(4_000_000 / (payload.length + 200));
  const frame = encoder.encode(`{"id":7,"publish":{"channel":"chat:lobby","data":${payload}}}`);
  compare(
    `decode publish, ${name} (${frame.length} bytes), against JSON.parse + JSON.stringify of the data`,
    () => jsonCodec.decodeCommands(frame),
    () => {
      const command = JSON.parse(decoder.decode(frame)) as { publish: { data: unknown } };
      return encoder.encode(JSON.stringify(command.publish.data));
    },
    rounds,
  );
  const data = encoder.encode(payload);
  const reply = { push: { channel: 'chat:lobby', pub: { data, offset: 123_456 } } };
  compare(
    `encode push, ${name}, against JSON.stringify around the decoded text`,
    () => jsonCodec.encodeReply(reply),
    () => {
      const { channel, pub } = reply.push;
      return encoder.encode(
        `{"push":{"channel":${JSON.stringify(channel)},"pub":{"data":${decoder.decode(pub.data)},"offset":${pub.offset}}}}`,
      );
    },
    rounds,
  );
  compare(
    `protobuf, encode push, ${name}, against our JSON`,
    () => protobufCodec.encodeReply(reply),
    () => jsonCodec.encodeReply(reply),
    rounds,
  );
}
