import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { eventually, startNatsCluster, type NatsCluster } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';
import { SystemClock } from '../../runtime/system-clock.ts';
import { SystemRandom } from '../../runtime/system-random.ts';
import { Elections } from './elections.ts';
import { LogReader, type Place } from './log-reader.ts';
import { NatsLink } from './nats-link.ts';
import { encodeRecord } from './record.ts';

const timeout = 60_000;
const service = await requireService('nats-server');
const skip = 'skip' in service ? service : {};
const program = 'path' in service ? service.path : '';
const clock = new SystemClock();
const random = new SystemRandom();
const ttlMs = 3_600_000;

let cluster: NatsCluster;
before(async () => {
  if (program !== '') cluster = await startNatsCluster({ program, servers: 1 });
});
after(() => cluster?.close());

/** A channel of ten publications in a stream of which no server offers copies: the test does, as one that lags. */
class Channel {
  readonly place: Place;
  readonly reader: LogReader;
  /** How far the copy is. */
  copied = 0;
  /** What the copy has after it was asked so often. */
  catchesUpAfter = Infinity;
  asked = 0;

  private constructor(place: Place, reader: LogReader) {
    this.place = place;
    this.reader = reader;
  }

  static async make(t: TestContext, name: string): Promise<Channel> {
    const link = new NatsLink({ servers: [cluster.url], name, clock, random });
    await link.start();
    const nats = await connect({ servers: cluster.url });
    t.after(async () => {
      await nats.close();
      await link.close();
    });
    const jsm = await jetstreamManager(nats);
    const place = { stream: name, subject: `${name}.a`, replicas: 3, epoch: 'e' };
    await jsm.streams.add({ name, subjects: [`${name}.*`], allow_direct: false });
    const channel = new Channel(place, new LogReader({ link, elections: new Elections(), clock, timeoutMs: 2_000 }));
    for (let offset = 1; offset <= 10; offset += 1) {
      const publications = [{ time: clock.now(), envelope: null, data: Buffer.from(`${offset}`) }];
      const record = { id: `r${offset}`, epoch: 'e', previous: offset - 1, floor: 1, ttlMs, publications };
      await nats.request(place.subject, encodeRecord(record));
    }
    channel.#offerCopy(nats, jsm);
    return channel;
  }

  #offerCopy(nats: NatsConnection, jsm: JetStreamManager): void {
    const answer = async (reply: string, from: number): Promise<void> => {
      this.asked += 1;
      if (this.asked > this.catchesUpAfter) this.copied = 10;
      for (let sequence = from; sequence <= this.copied; sequence += 1) {
        const stored = await jsm.streams.getMessage(this.place.stream, { seq: sequence });
        const told = headers();
        told.set('Nats-Stream', this.place.stream);
        told.set('Nats-Subject', this.place.subject);
        told.set('Nats-Sequence', String(sequence));
        told.set('Nats-Num-Pending', String(this.copied - sequence));
        nats.publish(reply, stored?.data, { headers: told });
      }
      nats.publish(reply, '', {
        headers: from > this.copied ? headers(404, 'Message Not Found') : headers(204, 'EOB'),
      });
    };
    nats.subscribe(`$JS.API.DIRECT.GET.${this.place.stream}`, {
      callback: (_, message) => {
        void answer(message.reply ?? '', message.json<{ seq: number }>().seq);
      },
    });
  }
}

const query = { since: { offset: 4, epoch: 'e' }, limit: 100 };
const offsetsOf = async ({ reader, place }: Channel, limit = 100): Promise<(number | undefined)[]> =>
  (await reader.page(place, { ...query, limit })).publications.map(({ offset }) => offset);

test(
  'DEL-9: a copy that has nothing yet of what is asked for is no trimmed log: the page has no hole at its beginning',
  { ...skip, timeout },
  async (t) => {
    const channel = await Channel.make(t, 'lags');
    channel.copied = 3;
    channel.catchesUpAfter = 2;
    assert.deepEqual(await offsetsOf(channel), [5, 6, 7, 8, 9, 10]);
    channel.copied = 3;
    channel.asked = 0;
    assert.deepEqual(await offsetsOf(channel, 3), [5, 6, 7]);
  },
);

test(
  'DEL-6: a copy that lags does not turn the winner of a position into its loser',
  { ...skip, timeout },
  async (t) => {
    const channel = await Channel.make(t, 'wins');
    channel.copied = 3;
    await assert.rejects(channel.reader.holding(channel.place, 6), { retryable: true });
    channel.copied = 10;
    assert.equal((await channel.reader.holding(channel.place, 6))?.id, 'r6');
  },
);

test('what is asked of a leader that dies is asked again as there is another', { ...skip, timeout }, async (t) => {
  const elections = new Elections();
  const link = new NatsLink({ servers: [cluster.url], name: 'dies', clock, random });
  await link.start();
  const nats = await connect({ servers: cluster.url });
  t.after(async () => {
    await nats.close();
    await link.close();
  });
  let asked = 0;
  nats.subscribe('$JS.API.DIRECT.GET.dies.dies.a', {
    callback: (_, message) => {
      asked += 1;
      if (asked === 2) message.respond('', { headers: headers(404, 'Message Not Found') });
    },
  });
  await nats.flush();
  // Nothing but the election can end the wait.
  const reader = new LogReader({ link, elections, clock, timeoutMs: timeout * 2 });
  const last = reader.last({ stream: 'dies', subject: 'dies.a', replicas: 1, epoch: 'e' });
  await eventually(() => asked === 1);
  elections.elected('dies');
  assert.equal(await last, undefined);
});
