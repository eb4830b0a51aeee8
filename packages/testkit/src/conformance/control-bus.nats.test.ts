import { after, before, test } from 'node:test';
import { SystemClock, SystemRandom } from '@tutti/server/internal';
import { NatsControlBus, NatsLink } from '@tutti/server/nats';
import { startFaultProxy } from '../fault-proxy.ts';
import { startNatsCluster, type NatsCluster } from '../nats-cluster.ts';
import { requireService } from '../services.ts';
import { controlBusConformance, type ControlBusUnderTest } from './control-bus.ts';

const service = await requireService('nats-server');
const clock = new SystemClock();
const random = new SystemRandom();

async function create(cluster: NatsCluster): Promise<ControlBusUnderTest> {
  const prefix = `t${random.id().slice(0, 8)}`;
  const proxy = await startFaultProxy({ target: { port: cluster.servers[0]?.port ?? 0 } });
  const links: NatsLink[] = [];
  return {
    bus: (node) => {
      const link = new NatsLink({ servers: [`127.0.0.1:${proxy.port}`], name: node, clock, random });
      links.push(link);
      return new NatsControlBus({ link, node, prefix });
    },
    interrupt: () => proxy.resetAll(),
    dispose: async () => {
      await Promise.all(links.map((link) => link.close()));
      await proxy.close();
    },
  };
}

if ('skip' in service) {
  test('the conformance of the NATS control bus', service, () => {});
} else {
  let cluster: NatsCluster;
  before(async () => {
    cluster = await startNatsCluster({ program: service.path });
  });
  after(() => cluster.close());
  controlBusConformance('nats', () => create(cluster));
}
