import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@tutti/testkit';
import { startNatsCluster } from '@tutti/testkit/nats-cluster';
import { requireService } from '@tutti/testkit/services';
import { NatsControlBus } from '../../cluster/nats/nats-control-bus.ts';
import type { LivePublication } from '../broker.ts';
import { NatsRevocationList } from '../../revocation/nats/nats-revocation-list.ts';
import { SystemClock } from '../../runtime/system-clock.ts';
import { SystemRandom } from '../../runtime/system-random.ts';
import { NatsBroker } from './nats-broker.ts';
import { NatsLink } from './nats-link.ts';
import { ensureStream } from './stream-set-up.ts';
import { namesOf } from './subjects.ts';

const service = await requireService('nats-server');
const skip = 'skip' in service ? service : {};
const program = 'path' in service ? service.path : '';
const clock = new SystemClock();
const random = new SystemRandom();

test(
  'a connection that the driver closed for good is replaced, and all that was heard on it is heard again',
  {
    ...skip,
    timeout: 60_000,
  },
  async (t) => {
    const cluster = await startNatsCluster({ program });
    t.after(() => cluster.close());
    const heard: string[] = [];
    const [a, b] = ['a', 'b'].map((node) => {
      const link = new NatsLink({ servers: [`127.0.0.1:${cluster.servers[0]?.port}`], name: node, clock, random });
      const need = { namespace: 'room', size: 10, ttlMs: 60_000, durable: false };
      const broker = new NatsBroker({
        ...{ link, clock, random, prefix: 't', namespaces: [need], namespaceOf: () => 'room' },
      });
      const bus = new NatsControlBus({ link, node, prefix: 't' });
      const revocations = new NatsRevocationList({
        ...{ nats: link, names: namesOf('t').revocations, clock, revocationsMax: 10 },
        ensureStream: (wanted) => ensureStream(link, wanted, { replicas: 1, newEpoch: () => random.id() }),
      });
      return { node, link, broker, bus, revocations };
    }) as [Peer, Peer];
    for (const { node, broker, bus, revocations } of [a, b]) {
      await broker.start({ publication: ({ channel }: LivePublication) => heard.push(`${node} ${channel}`) });
      t.after(() => broker.close());
      await bus.start({
        message: (bytes) => heard.push(`${node} ${Buffer.from(bytes).toString()}`),
        interrupted: () => heard.push(`${node} interrupted`),
      });
      await revocations.start({ changed: () => heard.push(`${node} revoked`) });
    }
    await b.broker.subscribe('room:x');
    await b.link.connection.close();
    await eventually(() => heard.includes('b interrupted'), { what: 'the connection is replaced' });
    heard.length = 0;
    await a.broker.publish('room:x', { data: Buffer.from('1') }, { history: { size: 10, ttlMs: 60_000 } });
    a.bus.send('b', Buffer.from('to b'));
    a.bus.broadcast(Buffer.from('to all'));
    await a.revocations.append({ what: 'token', tenant: '', subject: 't', issuedBeforeMs: 0 });
    for (const what of ['b room:x', 'b to b', 'b to all', 'b revoked']) {
      await eventually(() => heard.includes(what), { what });
    }
    assert.equal(heard.filter((each) => each === 'b to all').length, 1);
  },
);

interface Peer {
  readonly node: string;
  readonly link: NatsLink;
  readonly broker: NatsBroker;
  readonly bus: NatsControlBus;
  readonly revocations: NatsRevocationList;
}
