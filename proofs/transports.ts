import { startFaultProxy } from '@tutti/testkit/fault-proxy';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { Tutti } from '@tutti/client';
import { cpuMs } from './process-cpu.ts';
import type { Proof } from './proof.ts';
import { readingWays, type Got, type Reader, type ReadingWay } from './transports/readers.ts';
import { pause, until } from './waiting.ts';

const apiKey = 'known-to-the-proof-and-its-node';
const arriveMsMax = 20_000;

interface Load {
  readonly publications: number;
  readonly rate: number;
  readonly readers: number;
  readonly bytes: number;
}

/** What one way of reading cost. */
interface Row {
  readonly way: string;
  readonly bytesDown: number;
  readonly bytesUp: number;
  readonly cpuMs: number;
  readonly medianMs: number;
}

export const transports: Proof = {
  name: 'transports',
  shows:
    'the same publications arrive identically over WebSocket, SSE, HTTP stream, EventSource, long polling and naive polling; with bytes on the wire and CPU of the node (DEL-1, DEL-2)',
  options: {
    publications: { default: 1_000, description: 'publications of the one channel' },
    rate: { default: 100, description: 'publications a second; at most 200, which naive polling can follow' },
    readers: { default: 20, description: 'readers at the same time, of one way after another' },
    bytes: { default: 100, description: 'bytes of text in each publication' },
  },
  run: async ({ publications = 0, rate = 0, readers = 0, bytes = 0 }, say) => {
    const node = await spawnNode({
      settings: {
        apiKeys: [{ name: 'proof', key: apiKey, allow: ['history'] }],
        connectRateMax: 0,
        connectionsPerAddressMax: 10_000,
      },
      namespaces: { chat: { historySize: publications, allowPublish: 'user' } },
    });
    try {
      const load = { publications, rate, readers, bytes };
      // Once for nothing, so that code is compiled; then what publishing alone costs.
      await measure(node, undefined, 'chat:warm', load);
      const alone = await measure(node, undefined, 'chat:alone', load);
      const broken: string[] = [];
      const rows: Row[] = [];
      for (const [i, way] of readingWays.entries()) {
        const { row, faults } = await measure(node, way, `chat:way-${i}`, load);
        broken.push(...faults);
        const cpu = Math.max(0, row.cpuMs - alone.row.cpuMs);
        rows.push({ ...row, cpuMs: cpu });
        say(lineOf({ ...row, cpuMs: cpu }, load));
      }
      return { broken, figures: { aloneCpuMs: alone.row.cpuMs, rows } };
    } finally {
      await node.close();
    }
  },
};

function lineOf({ way, bytesDown, bytesUp, cpuMs: cpu, medianMs }: Row, { publications, readers }: Load): string {
  const each = publications * readers;
  const perDelivery = (value: number): string => (value / each).toFixed(0).padStart(6);
  const micros = ((cpu * 1_000) / each).toFixed(1).padStart(7);
  return `${way.padEnd(24)}${perDelivery(bytesDown)} B down ${perDelivery(bytesUp)} B up ${micros} µs ${medianMs.toFixed(1).padStart(7)} ms`;
}

async function measure(
  node: SpawnedNode,
  way: ReadingWay | undefined,
  channel: string,
  load: Load,
): Promise<{ row: Row; faults: string[] }> {
  const proxy = await startFaultProxy({ target: { port: node.port } });
  const readers: Reader[] = [];
  try {
    const place = { url: `http://127.0.0.1:${proxy.port}`, channel, token: await node.token({ user: 'ann' }), apiKey };
    for (let i = 0; way !== undefined && i < load.readers; i += 1) readers.push(await way.open(place));
    const before = { down: proxy.passedEver('down'), up: proxy.passedEver('up'), cpu: cpuMs(node.pid) };
    const wanted = await publishAll(node, channel, load);
    await until(() => readers.every(({ got }) => got.length >= load.publications), arriveMsMax);
    const row: Row = {
      way: way?.name ?? 'nobody',
      bytesDown: proxy.passedEver('down') - before.down,
      bytesUp: proxy.passedEver('up') - before.up,
      cpuMs: cpuMs(node.pid) - before.cpu,
      medianMs: median(readers.flatMap(({ got }) => got.map(({ afterMs }) => afterMs))),
    };
    return {
      row,
      faults: readers.flatMap((reader, i) => differences(`${row.way}, reader ${i + 1}`, reader.got, wanted)),
    };
  } finally {
    for (const reader of readers) await reader.close();
    await proxy.close();
  }
}

/** Evenly, past the proxy. Returns what was published, in its order. */
async function publishAll(node: SpawnedNode, channel: string, { publications, rate, bytes }: Load): Promise<string[]> {
  const tutti = new Tutti(node.wsUrl, { token: await node.token({ user: 'carl' }) });
  try {
    await tutti.ready();
    const texts = Array.from({ length: publications }, (_, i) => `${i + 1} ü "\n`.padEnd(bytes, 'x'));
    const answers: Promise<unknown>[] = [];
    const started = performance.now();
    for (const [i, text] of texts.entries()) {
      const dueMs = (i * 1_000) / rate - (performance.now() - started);
      if (dueMs > 0) await pause(dueMs);
      answers.push(tutti.publish(channel, { text, sentAt: performance.now() }));
    }
    await Promise.all(answers);
    return texts;
  } finally {
    tutti.close();
  }
}

/** The same publications in the same order, each once, with the same text. */
function differences(who: string, got: readonly Got[], wanted: readonly string[]): string[] {
  if (got.length !== wanted.length) return [`${who} got ${got.length} of ${wanted.length}`];
  const at = got.findIndex(({ offset, text }, i) => offset !== i + 1 || text !== wanted[i]);
  return at < 0 ? [] : [`${who} got something else at ${at + 1}`];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
