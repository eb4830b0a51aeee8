/**
 * Mutated frames against the decoders: `node tests/fuzz/decoders.ts --runs 1000000 --seed 7`.
 * Runs count per target. Prints progress, and one line of JSON last; exits 1 where a promise broke,
 * and leaves each such input in fixtures/, where the test replays it ever after.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BadFrame, frameBounds, type Codec, type Command, type Reply } from '@tutti/protocol';
import { goldenCommands, goldenReplies } from '@tutti/protocol/golden';
import { jsonCodec, validateJson } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { jsonDictionary, mutate, protobufDictionary, type Dictionary } from './mutator.ts';

export interface Target {
  readonly name: string;
  readonly corpus: readonly Uint8Array[];
  readonly dictionary: Dictionary;
  /** True where the input was accepted. Throws only where a promise is broken. */
  readonly run: (input: Uint8Array) => boolean;
}

const encoder = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function attempt<T>(work: () => T): T | BadFrame {
  try {
    return work();
  } catch (error) {
    if (error instanceof BadFrame) return error;
    throw error;
  }
}

/** What was decoded once must encode to bytes that decode and encode to the same bytes. */
function commandsRoundTrip(codec: Codec, input: Uint8Array): boolean {
  const commands: Command[] | BadFrame = attempt(() => codec.decodeCommands(input));
  if (commands instanceof BadFrame) return false;
  const first = codec.encodeCommands(commands);
  const second = codec.encodeCommands(codec.decodeCommands(first));
  if (Buffer.compare(first, second) !== 0) throw new Error('commands changed on the second round');
  return true;
}

function repliesRoundTrip(codec: Codec, input: Uint8Array): boolean {
  const encode = (replies: Reply[]) => codec.joinReplies(replies.map((reply) => codec.encodeReply(reply)));
  const replies: Reply[] | BadFrame = attempt(() => codec.decodeReplies(input));
  if (replies instanceof BadFrame) return false;
  const first = encode(replies);
  const second = encode(codec.decodeReplies(first));
  if (Buffer.compare(first, second) !== 0) throw new Error('replies changed on the second round');
  return true;
}

/** Depth and members by another road than the scanner's: over text that JSON.parse has accepted. */
function withinBounds(text: string): boolean {
  const open: number[] = [];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}:]/g)) {
    if (token === '{' || token === '[') {
      open.push(0);
      if (open.length > frameBounds.depthMax) return false;
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (token === ':') {
      const members = (open.at(-1) ?? 0) + 1;
      if (members > frameBounds.keysMax) return false;
      open[open.length - 1] = members;
    }
  }
  return true;
}

function stringsAreWellFormed(text: string): boolean {
  for (const [literal] of text.matchAll(/"(?:[^"\\]|\\.)*"/g)) {
    if (!(JSON.parse(literal) as string).isWellFormed()) return false;
  }
  return true;
}

function parsed(input: Uint8Array): { text: string; value: unknown } | undefined {
  try {
    const text = strictUtf8.decode(input);
    return { text, value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** Within a frame, a payload that is JSON is accepted or marked, and what stands behind it is read. */
function assertFramedAlike(payload: Uint8Array, isRefused: boolean): void {
  const frame = Buffer.concat([encoder.encode('{"id":1,"rpc":{"data":'), payload, encoder.encode('}}\n{"id":2}')]);
  const [command, next] = jsonCodec.decodeCommands(frame);
  if ((command?.flaw !== undefined) !== isRefused) throw new Error(`in a frame: ${command?.flaw ?? 'no flaw'}`);
  if ((command?.rpc?.data === undefined) !== isRefused && parsed(payload)?.value !== null)
    throw new Error('kept, or lost');
  if (command?.id !== 1 || next?.id !== 2) throw new Error('the end of the payload was missed');
}

/** validateJson and JSON.parse must agree, apart from what only validateJson refuses by design. */
function validateLikeParse(input: Uint8Array): boolean {
  const refusal = attempt(() => {
    validateJson(input);
  });
  const theirs = parsed(input);
  if (refusal instanceof BadFrame) {
    if (theirs !== undefined && withinBounds(theirs.text) && stringsAreWellFormed(theirs.text)) {
      throw new Error(`JSON.parse accepts what validateJson refuses: ${refusal.message}`);
    }
    if (theirs !== undefined) assertFramedAlike(input, true);
    return false;
  }
  if (theirs === undefined) throw new Error('validateJson accepts what JSON.parse refuses');
  if (!withinBounds(theirs.text)) throw new Error('validateJson accepts what is beyond its bounds');
  if (!stringsAreWellFormed(theirs.text)) throw new Error('validateJson accepts a lone surrogate');
  assertFramedAlike(input, false);
  // Carried in a reply, the payload must stay on one line and mean the same.
  const line = strictUtf8.decode(jsonCodec.encodeReply({ id: 1, rpc: { data: input } }));
  if (/[\n\r]/.test(line)) throw new Error('a payload broke the line');
  const carried = (JSON.parse(line) as { rpc: { data: unknown } }).rpc.data;
  if (!isDeepStrictEqual(carried, theirs.value)) throw new Error('a payload changed its meaning');
  return true;
}

const hex = (frame: string) => Uint8Array.from(Buffer.from(frame, 'hex'));
const hostileJson = [
  `{"send":{"data":${'['.repeat(32)}1${']'.repeat(32)}}}`,
  '{"id":1,"connect":{"subs":{"__proto__":{},"constructor":{"epoch":"e"}},"headers":{"toString":"x"}}}\n{}\n',
  '{ "id" : 1 ,\r\n"rpc" : { "data" : { "a" :\n[ -0.1e+7 , "\\ud83c\\udfba\\u0000" ] } } }',
].map((frame) => encoder.encode(frame));
const deep = `${'['.repeat(31)}{"a":[],"b":{}}${']'.repeat(31)}`;
const payloads = [
  deep,
  '"\\ud83c\\udfba\\ud83c"',
  '{"a":[1,-2.5e-3,null,true,false,"é\\u00e9\\n🎺"],"b":{"c":{}}}',
  ' [ ] ',
  '"\\ud83c\\udfba"',
  '-0',
];

export const targets: readonly Target[] = [
  {
    name: 'json-commands',
    corpus: [...goldenCommands.map(({ json }) => encoder.encode(json)), ...hostileJson],
    dictionary: jsonDictionary,
    run: (input) => commandsRoundTrip(jsonCodec, input),
  },
  {
    name: 'json-replies',
    corpus: goldenReplies.map(({ json }) => encoder.encode(json)),
    dictionary: jsonDictionary,
    run: (input) => repliesRoundTrip(jsonCodec, input),
  },
  {
    name: 'protobuf-commands',
    corpus: goldenCommands.map(({ protobuf }) => hex(protobuf)),
    dictionary: protobufDictionary,
    run: (input) => commandsRoundTrip(protobufCodec, input),
  },
  {
    name: 'protobuf-replies',
    corpus: goldenReplies.map(({ protobuf }) => hex(protobuf)),
    dictionary: protobufDictionary,
    run: (input) => repliesRoundTrip(protobufCodec, input),
  },
  {
    name: 'json-payloads',
    corpus: payloads.map((payload) => encoder.encode(payload)),
    dictionary: jsonDictionary,
    run: validateLikeParse,
  },
];

export interface Failure {
  readonly target: string;
  readonly error: string;
  readonly input: Uint8Array;
}
export interface Outcome {
  readonly runs: number;
  readonly accepted: number;
  readonly failures: readonly Failure[];
}

/** S22: no input may hold the loop longer. Judged by the best of three, because the machine may be busy. */
const inputMsMax = 50;
/** After so many the run has said enough. */
const failuresMax = 20;

function tooSlow(target: Target, input: Uint8Array): boolean {
  for (let round = 0; round < 3; round++) {
    const start = performance.now();
    target.run(input);
    if (performance.now() - start <= inputMsMax) return false;
  }
  return true;
}

export function fuzz(target: Target, runs: number, seed: number, progress?: (done: number) => void): Outcome {
  const random = new SeededRandom(seed);
  const failures: Failure[] = [];
  let accepted = 0;
  let done = 0;
  for (; done < runs && failures.length < failuresMax; done++) {
    const input = mutate(target.corpus, target.dictionary, random);
    const start = performance.now();
    try {
      if (target.run(input)) accepted++;
      if (performance.now() - start > inputMsMax && tooSlow(target, input)) throw new Error('over 50 ms');
    } catch (error) {
      failures.push({ target: target.name, error: String(error), input });
    }
    if (done % 100_000 === 99_999) progress?.(done + 1);
  }
  return { runs: done, accepted, failures };
}

const fixtures = new URL('fixtures/', import.meta.url);

/** Inputs that once broke a promise, by target. */
export function crashers(target: string): { name: string; input: Uint8Array }[] {
  return readdirSync(fixtures)
    .filter((name) => name.startsWith(`${target}.`))
    .map((name) => ({ name, input: Uint8Array.from(readFileSync(new URL(name, fixtures))) }));
}

function keep(failure: Failure): string {
  mkdirSync(fixtures, { recursive: true });
  const name = `${failure.target}.${createHash('sha256').update(failure.input).digest('hex').slice(0, 12)}`;
  writeFileSync(new URL(name, fixtures), failure.input);
  return name;
}

function heapMb(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return Math.round(process.memoryUsage().heapUsed / 104_857.6) / 10;
}

function main(): void {
  const { values } = parseArgs({ options: { runs: { type: 'string' }, seed: { type: 'string' } } });
  const runs = Number(values.runs ?? 100_000);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  for (const target of targets) fuzz(target, 2_000, seed);
  const heapBeforeMb = heapMb();
  const start = performance.now();
  const outcomes = targets.map((target) => {
    const outcome = fuzz(target, runs, seed, (done) => process.stdout.write(`${target.name} ${done}\n`));
    for (const failure of outcome.failures) process.stdout.write(`${keep(failure)}: ${failure.error}\n`);
    return { target: target.name, runs: outcome.runs, accepted: outcome.accepted, failures: outcome.failures.length };
  });
  const seconds = (performance.now() - start) / 1_000;
  const total = outcomes.reduce((sum, outcome) => sum + outcome.runs, 0);
  const failures = outcomes.reduce((sum, outcome) => sum + outcome.failures, 0);
  const summary = { seed, runs: total, perSecond: Math.round(total / seconds), failures, heapBeforeMb };
  process.stdout.write(`${JSON.stringify({ ...summary, heapAfterMb: heapMb(), targets: outcomes })}\n`);
  if (failures > 0) process.exitCode = 1;
}

if (import.meta.main) main();
