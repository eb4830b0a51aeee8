import { after, before, test } from 'node:test';
import { SystemClock, SystemRandom, type Broker } from '@tutti/server/internal';
import { NatsBroker, NatsLink } from '@tutti/server/nats';
import { startFaultProxy } from '../fault-proxy.ts';
import { startNatsCluster, type NatsCluster } from '../nats-cluster.ts';
import { requireService } from '../services.ts';
import { brokerConformance, type BrokerUnderTest } from './broker.ts';

const service = await requireService('nats-server');
const clock = new SystemClock();
const random = new SystemRandom();

/** Everything of one test is called otherwise, so that tests can share servers. */
function broker(servers: readonly string[]): Broker {
  const link = new NatsLink({ servers, name: 'conformance', clock, random });
  const need = { namespace: 'room', size: 1_000, ttlMs: 3_600_000, durable: true };
  const prefix = `t${random.id().slice(0, 8)}`;
  return new NatsBroker({ link, clock, random, prefix, namespaces: [need], namespaceOf: () => 'room' });
}

if ('skip' in service) {
  test('the conformance of the NATS broker', service, () => {});
} else {
  for (const servers of [1, 3]) {
    let cluster: NatsCluster;
    before(async () => {
      cluster = await startNatsCluster({ program: service.path, servers });
    });
    after(() => cluster.close());

    brokerConformance(`nats, ${servers} server${servers > 1 ? 's' : ''}`, async (): Promise<BrokerUnderTest> => {
      const proxy = await startFaultProxy({ target: { port: cluster.servers[0]?.port ?? 0 } });
      // In a cluster the servers would name themselves, and the node would go round the proxy.
      const made = broker([`nats://127.0.0.1:${proxy.port}`]);
      return { broker: made, interrupt: () => proxy.resetAll(), dispose: () => proxy.close() };
    });
  }
}
