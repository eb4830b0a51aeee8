import { Cluster, MemoryPresence, nullTelemetry, ReplicatedPresence, SolePeers } from '@tutti/server/internal';
import { MemoryBusNetwork } from '../memory-bus.ts';
import { SeededRandom } from '../seeded-random.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { presenceConformance, type PresenceUnderTest } from './presence.ts';

presenceConformance('memory', () => Promise.resolve({ nodes: [new MemoryPresence()], settle: () => undefined }));

presenceConformance('replicated, a node alone', () => {
  const clock = new VirtualClock();
  const peers = new SolePeers('alone', 'alone-1');
  return Promise.resolve({ nodes: [new ReplicatedPresence({ peers, clock })], settle: () => clock.advanceAsync(100) });
});

function replicated(loss: number): Promise<PresenceUnderTest> {
  const clock = new VirtualClock();
  const random = new SeededRandom(3);
  const network = new MemoryBusNetwork(clock, random.fork());
  const clusters = ['a', 'b', 'c'].map(
    (nodeName) =>
      new Cluster({
        ...{ bus: network.bus(nodeName), clock, random, telemetry: nullTelemetry },
        ...{ nodeName, secret: '', leaseMs: 10_000 },
      }),
  );
  return Promise.resolve({
    nodes: clusters.map((peers) => new ReplicatedPresence({ peers, clock })),
    join: async () => {
      for (const cluster of clusters) await cluster.start();
      await clock.advanceAsync(0);
      network.faults = { loss, delayMs: [0, 20] };
    },
    // Where messages are lost, the next heartbeats tell that some were.
    settle: () => clock.advanceAsync(loss === 0 ? 100 : 30_000),
    dispose: async () => {
      for (const cluster of clusters) await cluster.close();
    },
  });
}

presenceConformance('replicated, three nodes', () => replicated(0));
presenceConformance('replicated, three nodes, one message in ten is lost', () => replicated(0.1));
