import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBusNetwork, SeededRandom, VirtualClock } from '@tutti/testkit';
import { Cluster } from '../cluster/cluster.ts';
import { ReplicatedPresence } from '../presence/replicated.ts';
import { nullTelemetry } from '../telemetry/null-telemetry.ts';
import { ClusterOccupancy } from './cluster-occupancy.ts';

const leaseMs = 10_000;

interface Running {
  readonly name: string;
  readonly cluster: Cluster;
  readonly occupancy: ClusterOccupancy;
  readonly channels: Set<string>;
}

/** Nodes on one bus, and what all of them tell, in order. */
class Scene {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly network: MemoryBusNetwork;
  readonly nodes = new Map<string, Running>();
  readonly told: string[] = [];

  constructor(seed = 3) {
    this.random = new SeededRandom(seed);
    this.network = new MemoryBusNetwork(this.clock, this.random.fork());
  }

  async start(name: string): Promise<Running> {
    const { clock, random, told } = this;
    const peers = new Cluster({
      ...{ bus: this.network.bus(name), clock, random, telemetry: nullTelemetry },
      ...{ nodeName: name, secret: '', leaseMs },
    });
    const nodes = new ReplicatedPresence({ peers, clock, topic: 'occupancy' });
    const occupancy = new ClusterOccupancy(
      { peers, clock, nodes, wants: (channel) => !channel.startsWith('quiet:'), leaseMs },
      {
        occupied: (channel) => void told.push(`${name}: +${channel}`),
        vacated: (channel) => void told.push(`${name}: -${channel}`),
      },
    );
    await occupancy.start();
    await peers.start();
    let isOpen = false;
    void occupancy.open().then(() => (isOpen = true));
    while (!isOpen) await this.pass(100);
    const running = { name, cluster: peers, occupancy, channels: new Set<string>() };
    this.nodes.set(name, running);
    return running;
  }

  /** `kill`: without a word. */
  async end({ name, occupancy, cluster, channels }: Running, how: 'kill' | 'stop'): Promise<void> {
    this.nodes.delete(name);
    if (how === 'kill') this.network.drop = (from) => from === name;
    else for (const channel of channels) occupancy.vacated(channel);
    await occupancy.close();
    await cluster.close();
    this.network.drop = () => false;
  }

  enter({ occupancy, channels }: Running, channel: string): void {
    channels.add(channel);
    occupancy.occupied(channel);
  }

  leave({ occupancy, channels }: Running, channel: string): void {
    channels.delete(channel);
    occupancy.vacated(channel);
  }

  pass(ms: number): Promise<void> {
    return this.clock.advanceAsync(ms);
  }

  /** What was told since it was last asked. */
  heard(): string[] {
    return this.told.splice(0);
  }
}

test('a channel is occupied by its first node and vacated by its last, and one node tells it', async () => {
  const scene = new Scene();
  const [a, b] = [await scene.start('a'), await scene.start('b')];
  scene.enter(b, 'chat:1');
  scene.enter(b, 'quiet:1');
  await scene.pass(1_000);
  scene.enter(a, 'chat:1');
  scene.leave(b, 'chat:1');
  await scene.pass(1_000);
  assert.deepEqual(scene.heard(), ['a: +chat:1']);
  scene.leave(a, 'chat:1');
  await scene.pass(1_000);
  assert.deepEqual(scene.heard(), ['a: -chat:1']);
});

test('what was occupied before the first node could speak is told then, and not by those who come later', async () => {
  const scene = new Scene();
  const a = await scene.start('a');
  scene.enter(a, 'chat:1');
  await scene.start('b');
  assert.deepEqual(scene.heard(), ['a: +chat:1']);
});

test('PRE-1: what a killed node alone had is vacated after its lease, also where it was the one that spoke', async () => {
  const scene = new Scene();
  const [a, b, c] = [await scene.start('a'), await scene.start('b'), await scene.start('c')];
  scene.enter(a, 'only:a');
  scene.enter(a, 'both');
  scene.enter(b, 'both');
  scene.enter(c, 'only:c');
  await scene.pass(1_000);
  assert.deepEqual(scene.heard(), ['a: +only:a', 'a: +both', 'a: +only:c']);
  await scene.end(a, 'kill');
  await scene.pass(leaseMs + 3_000);
  assert.deepEqual(scene.heard(), ['b: +both', 'b: +only:c', 'b: -only:a'], 'what was new once more');
  scene.leave(b, 'both');
  await scene.pass(1_000);
  assert.deepEqual(scene.heard(), ['b: -both']);
  const again = await scene.start('a');
  scene.enter(again, 'only:a');
  await scene.pass(1_000);
  assert.deepEqual(scene.heard(), ['b: +only:a'], 'who speaks goes on speaking');
});

test('who speaks goes on speaking, whatever the clock of a node says that comes later', async () => {
  const scene = new Scene();
  const a = await scene.start('a');
  scene.clock.jumpWall(-3_600_000);
  await scene.start('b');
  scene.enter(a, 'chat:1');
  await scene.pass(1_000);
  assert.deepEqual(scene.heard(), ['a: +chat:1']);
});

test('after kills, partitions and losses, what was told last of each channel is so', async () => {
  const channels = ['chat:1', 'chat:2', 'chat:3', 'chat:4'];
  for (let seed = 1; seed <= 60; seed += 1) {
    const scene = new Scene(seed);
    for (const name of ['a', 'b', 'c']) await scene.start(name);
    scene.network.faults = { loss: 0.2, delayMs: [0, 80] };
    for (let step = 0; step < 60; step += 1) {
      const node = scene.random.pick([...scene.nodes.values()]);
      const channel = scene.random.pick(channels);
      if (scene.random.chance(0.04) && scene.nodes.size > 1) {
        // What a node told while it was cut off, and never came back from, nobody knows.
        scene.network.heal();
        await scene.pass(leaseMs);
        await scene.end(node, scene.random.chance(0.5) ? 'kill' : 'stop');
        if (scene.random.chance(0.5)) await scene.pass(scene.random.int(2 * leaseMs));
        await scene.start(node.name);
      } else if (node.channels.has(channel)) scene.leave(node, channel);
      else scene.enter(node, channel);
      if (scene.random.chance(0.03)) scene.network.part(['a'], ['b', 'c']);
      if (scene.random.chance(0.1)) scene.network.heal();
      await scene.pass(scene.random.int(scene.random.chance(0.1) ? 2 * leaseMs : 400));
    }
    scene.network.faults = {};
    scene.network.heal();
    await scene.pass(2 * leaseMs);
    for (const channel of channels) {
      const last = scene.told.filter((line) => line.endsWith(channel)).at(-1) ?? '-';
      const isOccupied = [...scene.nodes.values()].some((node) => node.channels.has(channel));
      assert.equal(last.includes('+'), isOccupied, `seed ${seed}, ${channel}: ${scene.told.join(' ')}`);
    }
  }
});
