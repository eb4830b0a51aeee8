import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlMessageBytesMax, type ControlBus } from '@tutti/server/internal';
import { eventually } from '../eventually.ts';

/** One cluster for one test: what connects its nodes is fresh. */
export interface ControlBusUnderTest {
  /** A bus for a node of this name, not yet started; several may be asked for, also of the same name. */
  bus(node: string): ControlBus | Promise<ControlBus>;
  /** Lets time pass, where the bus has a clock of the test's. */
  advance?(ms: number): void;
  /**
   * Breaks the connections of all nodes, at once; they mend themselves. Without it the test of
   * interruptions is skipped by name.
   */
  interrupt?(): Promise<void> | void;
  /** Called last, after every bus was closed. */
  dispose(): Promise<void> | void;
}

/** A started bus, with what it heard. */
interface Listener {
  readonly bus: ControlBus;
  readonly heard: Uint8Array[];
  interruptions: number;
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const textsOf = ({ heard }: Listener): string[] => heard.map((bytes) => Buffer.from(bytes).toString());

/**
 * Registers the tests every `ControlBus` must pass. `create` is called once a test. An outside adapter
 * calls it in a test file of its own: `controlBusConformance('mine', async () => …)`.
 */
// long on purpose: one flat list of promises, to be read from top to bottom beside control-bus.ts
export function controlBusConformance(name: string, create: () => Promise<ControlBusUnderTest>): void {
  const it = (title: string, body: (cluster: Cluster) => Promise<void>, needs?: 'interrupt'): void => {
    test(`${title} [${name}]`, async (context) => {
      const made = await create();
      const cluster = new Cluster(made);
      try {
        if (needs !== undefined && made[needs] === undefined) context.skip(`the bus offers no ${needs}`);
        else await body(cluster);
      } finally {
        await cluster.close();
        await made.dispose();
      }
    });
  };

  it('a message reaches the node it is for, and no other', async (cluster) => {
    const [a, b, c] = [await cluster.join('a'), await cluster.join('b'), await cluster.join('c')];
    a.bus.send('b', bytesOf('for b'));
    a.bus.send('c', bytesOf('for c'));
    await cluster.until(() => b.heard.length === 1 && c.heard.length === 1);
    assert.deepEqual([textsOf(a), textsOf(b), textsOf(c)], [[], ['for b'], ['for c']]);
  });

  it('a broadcast reaches every other node', async (cluster) => {
    const [a, b, c] = [await cluster.join('a'), await cluster.join('b'), await cluster.join('c')];
    a.bus.broadcast(bytesOf('for all'));
    await cluster.until(() => b.heard.length === 1 && c.heard.length === 1);
    assert.deepEqual([textsOf(b), textsOf(c)], [['for all'], ['for all']]);
  });

  it('what one node sends to the same destination arrives in that order', async (cluster) => {
    const [a, b] = [await cluster.join('a'), await cluster.join('b')];
    const numbers = Array.from({ length: 500 }, (_, i) => String(i));
    for (const number of numbers) {
      a.bus.send('b', bytesOf(`s${number}`));
      a.bus.broadcast(bytesOf(`b${number}`));
    }
    await cluster.until(() => b.heard.length === 1_000);
    const heard = textsOf(b);
    for (const kind of ['s', 'b']) {
      assert.deepEqual(
        heard.filter((text) => text.startsWith(kind)),
        numbers.map((number) => kind + number),
      );
    }
  });

  it('bytes arrive as they were, up to the largest message', async (cluster) => {
    const [a, b] = [await cluster.join('a'), await cluster.join('b')];
    const large = Uint8Array.from({ length: controlMessageBytesMax }, (_, i) => (i * 31) & 0xff);
    const all = [new Uint8Array(), Uint8Array.of(0, 10, 13, 255, 0xc3, 0x28), large];
    for (const bytes of all) a.bus.send('b', bytes);
    await cluster.until(() => b.heard.length === all.length);
    all.forEach((bytes, i) => assert.ok(Buffer.from(bytes).equals(b.heard[i] ?? new Uint8Array([1])), `message ${i}`));
  });

  it('names that look alike are different nodes', async (cluster) => {
    const names = ['pod', 'pod.eu', 'pod.eu.1', 'Pod', 'pod-1', 'pod_1'];
    const listeners = new Map<string, Listener>();
    for (const node of names) listeners.set(node, await cluster.join(node));
    const sender = await cluster.join('sender');
    for (const node of names) sender.bus.send(node, bytesOf(node));
    await cluster.until(() => names.every((node) => listeners.get(node)?.heard.length === 1));
    for (const [node, listener] of listeners) assert.deepEqual(textsOf(listener), [node]);
  });

  it('two processes of one name both hear what is for it, and each other', async (cluster) => {
    const [a, old, young] = [await cluster.join('a'), await cluster.join('b'), await cluster.join('b')];
    a.bus.send('b', bytesOf('for b'));
    await cluster.until(() => old.heard.length === 1 && young.heard.length === 1);
    old.bus.broadcast(bytesOf('I am b'));
    await cluster.until(() => young.heard.length === 2 && a.heard.length === 1);
    assert.equal(textsOf(young)[1], 'I am b');
  });

  it('what is for nobody is nothing', async (cluster) => {
    const [a, b] = [await cluster.join('a'), await cluster.join('b')];
    a.bus.send('nobody', bytesOf('lost'));
    a.bus.send('b', bytesOf('after'));
    await cluster.until(() => b.heard.length === 1);
    assert.deepEqual(textsOf(b), ['after']);
  });

  it('after close nothing arrives, and sending does nothing', async (cluster) => {
    const [a, b, c] = [await cluster.join('a'), await cluster.join('b'), await cluster.join('c')];
    b.bus.send('c', bytesOf('the last words'));
    await b.bus.close();
    await b.bus.close();
    b.bus.send('c', bytesOf('never'));
    b.bus.broadcast(bytesOf('never'));
    a.bus.broadcast(bytesOf('later'));
    await cluster.until(() => c.heard.length === 2);
    assert.deepEqual([textsOf(b), textsOf(c).sort()], [[], ['later', 'the last words']]);
  });

  it(
    'an interruption is told once the bus is whole again, to each node',
    async (cluster) => {
      const [a, b] = [await cluster.join('a'), await cluster.join('b')];
      await cluster.interrupt();
      await cluster.until(() => a.interruptions > 0 && b.interruptions > 0);
      a.bus.send('b', bytesOf('after'));
      await cluster.until(() => b.heard.length > 0);
      assert.deepEqual(textsOf(b), ['after']);
    },
    'interrupt',
  );
}

class Cluster {
  readonly #made: ControlBusUnderTest;
  readonly #listeners: Listener[] = [];

  constructor(made: ControlBusUnderTest) {
    this.#made = made;
  }

  async join(node: string): Promise<Listener> {
    const listener: Listener = { bus: await this.#made.bus(node), heard: [], interruptions: 0 };
    this.#listeners.push(listener);
    await listener.bus.start({
      message: (bytes) => listener.heard.push(Uint8Array.from(bytes)),
      interrupted: () => {
        listener.interruptions += 1;
      },
    });
    return listener;
  }

  async interrupt(): Promise<void> {
    await this.#made.interrupt?.();
  }

  async until(isSo: () => boolean): Promise<void> {
    await eventually(() => {
      this.#made.advance?.(1);
      return isSo();
    });
  }

  async close(): Promise<void> {
    for (const { bus } of this.#listeners) await bus.close();
  }
}
