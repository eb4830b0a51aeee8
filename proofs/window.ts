import { fileURLToPath } from 'node:url';
import { MeasuredProcess } from '@tutti/bench/targets/measured-process';
import { eventually } from '@tutti/testkit/eventually';
import { HostileWebSocket, opcodes } from '@tutti/testkit/hostile-websocket';
import { spawnNode } from '@tutti/testkit/spawn-node';
import { PacedPublisher } from './paced-publisher.ts';
import type { Proof } from './proof.ts';
import { RawPeer } from './raw-peer.ts';
import { SlowSubscriber, type SlowSubscriberOptions } from './slow-subscriber.ts';
import { socketQueues } from './socket-queues.ts';

const KiB = 1024;
const windowBytes = 256 * KiB;
/** One frame of joined publications: nothing that leaves at once is larger. */
const chunkBytes = 64 * KiB;
const naiveBytesMin = 1024 * KiB;
const channel = 'news:x';
/** For the acknowledgements of the kernels: until then bytes are counted at both ends. */
const settleMs = 500;
const wsServer = fileURLToPath(new URL('../packages/bench/src/targets/ws-server.ts', import.meta.url));

type TransportName = NonNullable<SlowSubscriberOptions['transport']>;

interface Load {
  readonly transport: TransportName;
  readonly rate: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** What the kernels hold of the connection once its peer has stopped reading. */
interface Held {
  readonly kernelBytes: number;
  /** Of them those that wait to be sent; the others wait to be read. */
  readonly sendingBytes: number;
  /** Published while it did not read. */
  readonly publishedBytes: number;
}

/** BP-2 from outside: what the kernels hold of a connection whose peer stops reading. */
export const window: Proof = {
  name: 'window',
  shows:
    'a peer that stops reading has no more than window and chunk under way; a bare send loop puts megabytes there (BP-2)',
  options: {
    rate: { default: 400, description: 'publications a second' },
    bytes: { default: 10_000, description: 'of the data of a publication' },
    seconds: { default: 4, description: 'that the peer reads; then as long that it does not' },
  },
  choices: {
    transport: {
      default: 'websocket',
      choices: ['websocket', 'sse', 'http_stream', 'uni_sse'],
      description: 'of the peer; one that only listens (uni_sse) confirms nothing, and is measured, not judged',
    },
  },
  run: async ({ rate = 0, bytes = 0, seconds = 0 }, say, chosen) => {
    const broken: string[] = [];
    const transport = chosen['transport'] as TransportName;
    const load = { rate, bytes, seconds, transport };
    const tutti = await ofTutti(load, broken);
    say(`Tutti over ${transport}: ${JSON.stringify(tutti)}`);
    const naive = await ofSendLoop(load);
    say(`ws, and a loop that sends: ${JSON.stringify(naive)}`);
    if (transport !== 'uni_sse' && tutti.kernelBytes > windowBytes + chunkBytes)
      broken.push(`${tutti.kernelBytes} bytes were under way; window and chunk are ${windowBytes + chunkBytes}`);
    if (tutti.kernelBytes === 0) broken.push('nothing was under way: the peer still reads');
    if (naive.kernelBytes < naiveBytesMin)
      broken.push(`the send loop had only ${naive.kernelBytes} bytes under way: the comparison shows nothing`);
    return { broken, figures: { windowBytes, tutti, naive } };
  },
};

async function ofTutti(load: Load, broken: string[]): Promise<Held> {
  const node = await spawnNode({
    settings: { inFlightBytesMax: windowBytes, commandRateMax: 0 },
    namespaces: { news: { historySize: 100_000 } },
  });
  const closers: { close(): void }[] = [];
  try {
    const { port } = node;
    const token = await node.token({ user: 'ann' });
    const { transport } = load;
    const reader = await SlowSubscriber.open({ port, token, channel, bytesPerSecond: Infinity, first: 1, transport });
    closers.push(reader);
    const peer = await RawPeer.open({ port, token });
    closers.push(peer);
    const publisher = new PacedPublisher(peer, { channel, perSecond: load.rate, payloadBytes: load.bytes });
    await publisher.run(load.seconds * 1_000);
    reader.stopReading();
    await publisher.run(load.seconds * 1_000);
    const held = await heldBy(port, reader.localPort, load);
    reader.readFast();
    await eventually(() => reader.last === publisher.last, { what: 'the last publication', withinMs: 30_000 }).catch(
      (error: unknown) => broken.push(`after the pause: ${String(error)}`),
    );
    const { untold, skipped, wentBack } = reader;
    if (untold + skipped + wentBack > 0)
      broken.push(`after the pause ${untold + skipped} were missing and ${wentBack} out of order`);
    return held;
  } finally {
    for (const one of closers) one.close();
    await node.close();
  }
}

/** The same with the `ws` library and a loop that sends to every client, as most would write it. */
async function ofSendLoop(load: Load): Promise<Held> {
  const server = await MeasuredProcess.start([wsServer]);
  const peers: HostileWebSocket[] = [];
  try {
    const port = Number(server.url.port);
    const reader = await HostileWebSocket.open(port, { path: '/' });
    peers.push(reader);
    reader.pause();
    const publisher = await HostileWebSocket.open(port, { path: '/' });
    peers.push(publisher);
    const payload = 'x'.repeat(load.bytes);
    for (let i = 0; i < load.rate * load.seconds; i += 1) {
      publisher.send({ opcode: opcodes.text, payload });
      // It comes back to the publisher, too.
      await publisher.next();
    }
    return await heldBy(port, reader.socket.localPort ?? 0, load);
  } finally {
    for (const peer of peers) peer.destroy();
    await server.stop();
  }
}

async function heldBy(serverPort: number, peerPort: number, load: Load): Promise<Held> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const { sending, received } = socketQueues(serverPort, peerPort);
  return {
    kernelBytes: sending + received,
    sendingBytes: sending,
    publishedBytes: load.rate * load.seconds * load.bytes,
  };
}
