import { controlMessageBytesMax, type Clock, type ControlBus, type ControlBusEvents } from '@tutti/server/internal';
import type { SeededRandom } from './seeded-random.ts';

export interface MemoryBusFaults {
  /** Share of messages that are lost, 0 to 1. */
  loss?: number;
  /** Milliseconds on the way, at least and at most; order per sender and destination holds. */
  delayMs?: readonly [least: number, most: number];
}

/**
 * A bus for several nodes in one process, that loses, delays and parts as a test says, from a seed and on
 * the test's clock. Messages arrive in a turn of their own, never within `send`.
 */
export class MemoryBusNetwork {
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #members = new Set<MemoryBus>();
  /** When the last message between two members arrives: the next may not overtake it. */
  readonly #arrivals = new Map<string, number>();
  #islands: readonly (readonly string[])[] = [];
  #nextId = 0;
  #sent = 0;
  faults: MemoryBusFaults = {};
  /** Asked once a message; true: it is lost. */
  drop: (from: string, to: string, message: Uint8Array) => boolean = () => false;

  constructor(clock: Clock, random: SeededRandom) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Messages put on the way so far, one for each who is to get it. */
  get sent(): number {
    return this.#sent;
  }

  bus(node: string): MemoryBus {
    return new MemoryBus(node, `${this.#nextId++}`, this);
  }

  /** Only nodes of one island hear each other; a node of none is alone. */
  part(...islands: readonly (readonly string[])[]): void {
    this.#islands = islands;
  }

  /** Ends the partition, and tells everybody that messages were lost, as a bus does that was cut off. */
  heal(options: { tell?: boolean } = {}): void {
    this.#islands = [];
    if (options.tell === false) return;
    for (const member of this.#members) member.interrupted();
  }

  join(member: MemoryBus): void {
    this.#members.add(member);
  }

  leave(member: MemoryBus): void {
    this.#members.delete(member);
  }

  carry(from: MemoryBus, to: string | undefined, message: Uint8Array): void {
    for (const member of this.#members) {
      if (member === from || (to !== undefined && member.node !== to)) continue;
      this.#sent += 1;
      if (!this.#isConnected(from.node, member.node) || this.drop(from.node, member.node, message)) continue;
      if (this.#random.chance(this.faults.loss ?? 0)) continue;
      this.#schedule(`${from.id}>${member.id}`, () => {
        if (this.#members.has(member)) member.receive(message);
      });
    }
  }

  #schedule(way: string, arrive: () => void): void {
    const [least, most] = this.faults.delayMs ?? [0, 0];
    const now = this.#clock.monotonic();
    const atMs = Math.max(now + least + this.#random.next() * (most - least), this.#arrivals.get(way) ?? 0);
    this.#arrivals.set(way, atMs);
    this.#clock.after(atMs - now, arrive);
  }

  #isConnected(from: string, to: string): boolean {
    return this.#islands.length === 0 || this.#islands.some((island) => island.includes(from) && island.includes(to));
  }
}

class MemoryBus implements ControlBus {
  readonly node: string;
  readonly id: string;
  readonly #network: MemoryBusNetwork;
  #events: ControlBusEvents | undefined;

  constructor(node: string, id: string, network: MemoryBusNetwork) {
    this.node = node;
    this.id = id;
    this.#network = network;
  }

  start(events: ControlBusEvents): Promise<void> {
    this.#events = events;
    this.#network.join(this);
    return Promise.resolve();
  }

  send(node: string, message: Uint8Array): void {
    this.#carry(node, message);
  }

  broadcast(message: Uint8Array): void {
    this.#carry(undefined, message);
  }

  close(): Promise<void> {
    this.#events = undefined;
    this.#network.leave(this);
    return Promise.resolve();
  }

  receive(message: Uint8Array): void {
    this.#events?.message(message);
  }

  /** As if its connection had broken and come back. */
  interrupted(): void {
    this.#events?.interrupted();
  }

  #carry(to: string | undefined, message: Uint8Array): void {
    if (message.length > controlMessageBytesMax) throw new Error('a control message is larger than the bus carries');
    if (this.#events !== undefined) this.#network.carry(this, to, message);
  }
}

export type { MemoryBus };
