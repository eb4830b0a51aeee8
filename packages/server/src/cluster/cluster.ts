import type { Clock, Timer } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { bodyBytesMax, type ControlBus } from './control-bus.ts';
import { openEnvelope, parsed, sealEnvelope, type Envelope, type Opened } from './envelope.ts';
import { BadMessage, MessageFields } from './message-fields.ts';
import { NodeTable } from './node-table.ts';
import type { Peer, PeerEvents, Peers, ReadMessage, Survey } from './peers.ts';
import { Sequences } from './sequences.ts';
import { Surveys } from './surveys.ts';

export interface ClusterOptions {
  readonly bus: ControlBus;
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: Telemetry;
  readonly nodeName: string;
  /** Signs every message; empty: none is signed. */
  readonly secret: string;
  /** A node that is silent for so long is gone. */
  readonly leaseMs: number;
}

/** Heartbeats in a lease: a few may be lost before anybody is taken for gone. */
const beatsPerLease = 5;
const ticksPerLease = 20;
const answerWithinMs = 2_000;
/** The topic of the nodes themselves: heartbeats, and good-bye. */
const nodesTopic = 'nodes';

interface Beat {
  /** The sender does not know who is there, and would hear from everybody at once. */
  readonly isHello: boolean;
  readonly isBye: boolean;
  readonly notes: MessageFields;
}

/** This node among the others: leases, and messages by topic, over a bus that may lose what it likes. */
export class Cluster implements Peers {
  readonly self: Peer;
  readonly #options: ClusterOptions;
  readonly #nodes: NodeTable;
  readonly #surveys: Surveys;
  readonly #sequences = new Sequences();
  readonly #watchers: PeerEvents[] = [];
  readonly #topics = new Map<string, (from: Peer, value: unknown) => void>();
  readonly #answers = new Map<string, (question: unknown, from: Peer) => unknown>();
  readonly #notes = new Map<string, () => unknown>();
  /** Messages to anybody: so it grows for each of them, also for one that was taken for gone and is back. */
  #sent = 0;
  #beatTimer: Timer | undefined;
  #tickTimer: Timer | undefined;
  #isOpen = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.self = { name: options.nodeName, incarnation: options.random.id() };
    const { leaseMs, clock } = options;
    const tickMs = leaseMs / ticksPerLease;
    // A predecessor that still lives beats at least twice in it.
    this.#nodes = new NodeTable({ leaseMs, succeededLeaseMs: (2.5 * leaseMs) / beatsPerLease, tickMs });
    this.#surveys = new Surveys(clock);
    this.#topics.set(nodesTopic, (from, value) => {
      this.#beatHeard(from, readBeat(value));
    });
  }

  get others(): readonly Peer[] {
    return this.#nodes.nodes.map(({ peer }) => peer);
  }

  /** Throws `Fault`. */
  async start(): Promise<void> {
    const { bus, clock } = this.#options;
    await bus.start({
      message: (bytes) => {
        this.#received(bytes);
      },
      interrupted: () => {
        if (this.#isOpen) this.#sayBeat({ isHello: true });
      },
    });
    this.#isOpen = true;
    this.#nodes.tick(clock.monotonic());
    this.#sayBeat({ isHello: true });
    this.#scheduleBeat();
    this.#scheduleTick();
  }

  /** Says good-bye. Also where the bus could not be joined. Idempotent. */
  async close(): Promise<void> {
    if (this.#isOpen) this.#sayBeat({ isBye: true });
    this.#isOpen = false;
    this.#beatTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#surveys.close();
    await this.#options.bus.close();
  }

  watch(events: PeerEvents): void {
    this.#watchers.push(events);
  }

  hear<Message>(topic: string, read: ReadMessage<Message>, heard: (from: Peer, message: Message) => void): void {
    this.#topics.set(topic, (from, value) => {
      heard(from, read(value));
    });
  }

  beat(topic: string, make: () => unknown): void {
    this.#notes.set(topic, make);
  }

  answer<Question>(
    topic: string,
    read: ReadMessage<Question>,
    answer: (question: Question, from: Peer) => unknown,
  ): void {
    this.#answers.set(topic, (question, from) => answer(read(question), from));
  }

  tell(topic: string, message: unknown): void {
    this.#say({ topic, kind: 'tell' }, bodyOf(message));
  }

  tellOne(peer: Peer, topic: string, message: unknown): void {
    this.#say({ topic, kind: 'tell' }, bodyOf(message), peer);
  }

  survey<Answer>(
    topic: string,
    question: unknown,
    read: ReadMessage<Answer>,
    { withinMs = answerWithinMs, only }: { withinMs?: number; only?: string } = {},
  ): Promise<Survey<Answer>> {
    const asked = only === undefined ? this.others : this.#nodes.named(only);
    if (asked.length === 0 || !this.#isOpen) {
      return Promise.resolve({ answers: [], silent: only === undefined ? [] : [only] });
    }
    const id = this.#options.random.id();
    const outcome = this.#surveys.begin(id, asked, read, withinMs);
    const body = bodyOf(question);
    if (only === undefined) this.#say({ topic, kind: 'ask', question: id }, body);
    else for (const peer of asked) this.#say({ topic, kind: 'ask', question: id }, body, peer);
    return outcome;
  }

  /** Never throws: what cannot be sent is lost, like anything on the bus. */
  #say(about: Pick<Envelope, 'topic' | 'kind' | 'question' | 'part' | 'parts'>, body: Uint8Array, to?: Peer): void {
    if (!this.#isOpen || (to !== undefined && !this.#nodes.has(to.incarnation))) return;
    const { bus, secret, telemetry } = this.#options;
    this.#sent += 1;
    const envelope: Envelope = {
      ...{ from: this.self, sequence: this.#sent, ...about },
      ...(to === undefined ? {} : { to: to.incarnation }),
    };
    try {
      const message = sealEnvelope(envelope, body, secret);
      telemetry.count('control_messages_sent', 1, about.topic);
      if (to === undefined) bus.broadcast(message);
      else bus.send(to.name, message);
    } catch (error) {
      this.#bug(error);
    }
  }

  #received(bytes: Uint8Array): void {
    const { telemetry, secret } = this.#options;
    let opened: Opened;
    try {
      opened = openEnvelope(bytes, secret);
    } catch (error) {
      this.#refused(error);
      return;
    }
    const { envelope } = opened;
    const { from, to, topic, sequence } = envelope;
    if (from.incarnation === this.self.incarnation || !this.#isOpen) return;
    if (to !== undefined && to !== this.self.incarnation) return;
    if (!this.#sequences.take(`${from.incarnation} ${to === undefined ? '' : 'direct'}`, sequence)) {
      telemetry.count('control_messages_refused', 1, 'sequence');
      return;
    }
    if (!this.#heardOf(from)) return;
    telemetry.count('control_messages_received', 1, this.#isTopic(topic) ? topic : 'other');
    try {
      this.#dispatch(opened);
    } catch (error) {
      this.#refused(error);
    }
  }

  #dispatch(opened: Opened): void {
    const { from, topic, kind } = opened.envelope;
    if (kind === 'answer') this.#surveys.answered(opened);
    // A topic that this version does not know is one of a newer node.
    else if (kind === 'tell') this.#topics.get(topic)?.(from, parsed(opened.body));
    else void this.#answerTo(opened);
  }

  async #answerTo({ envelope, body }: Opened): Promise<void> {
    const { from, topic, question = '' } = envelope;
    try {
      const answer = bodyOf((await this.#answers.get(topic)?.(parsed(body), from)) ?? null);
      const parts = Math.ceil(answer.length / bodyBytesMax);
      for (let part = 0; part < parts; part += 1) {
        const piece = answer.subarray(part * bodyBytesMax, (part + 1) * bodyBytesMax);
        this.#say({ topic, kind: 'answer', question, part, parts }, piece, from);
      }
    } catch (error) {
      if (error instanceof BadMessage) this.#refused(error);
      else this.#options.telemetry.log.error({ seam: 'control-bus', topic, error }, 'a question was not answered');
    }
  }

  /** False: nothing of it is acted on. */
  #heardOf(peer: Peer): boolean {
    const { telemetry } = this.#options;
    const is = this.#nodes.heard(peer);
    if (is === 'known') return true;
    if (is !== 'new') {
      telemetry.count('control_messages_refused', 1, is);
      return false;
    }
    if (peer.name === this.self.name) {
      telemetry.log.warn({ node: peer.name }, 'another process has the name of this node: give each node its own');
    }
    telemetry.log.info({ node: peer.name, nodes: this.others.length + 1 }, 'a node is there');
    // Before it is told anything else: it may have started in a moment in which this node's last heartbeat was gone.
    this.#sayBeat({}, peer);
    for (const watcher of this.#watchers) watcher.up?.(peer);
    return true;
  }

  #beatHeard(from: Peer, { isHello, isBye, notes }: Beat): void {
    if (isBye) {
      if (this.#nodes.ended(from)) this.#down(from, 'a node said good-bye');
      return;
    }
    if (isHello) this.#sayBeat({}, from);
    for (const topic of this.#notes.keys()) {
      if (notes.has(topic)) this.#topics.get(topic)?.(from, notes.value(topic));
    }
  }

  #down(peer: Peer, message: string): void {
    this.#options.telemetry.log.warn({ node: peer.name, nodes: this.others.length + 1 }, message);
    this.#surveys.gone(peer);
    for (const watcher of this.#watchers) watcher.down?.(peer);
  }

  #sayBeat(beat: { isHello?: boolean; isBye?: boolean }, to?: Peer): void {
    const notes: Record<string, unknown> = {};
    for (const [topic, make] of this.#notes) notes[topic] = make();
    const { isHello = false, isBye = false } = beat;
    this.#say({ topic: nodesTopic, kind: 'tell' }, bodyOf({ isHello, isBye, notes }), to);
  }

  #scheduleBeat(): void {
    const { leaseMs, clock, random } = this.#options;
    // Jittered, so that nodes started together do not beat in step.
    this.#beatTimer = clock.after((leaseMs / beatsPerLease) * (0.75 + random.next() / 4), () => {
      this.#sayBeat({});
      this.#scheduleBeat();
    });
  }

  #scheduleTick(): void {
    const { leaseMs, clock } = this.#options;
    this.#tickTimer = clock.after(leaseMs / ticksPerLease, () => {
      for (const peer of this.#nodes.tick(clock.monotonic())) this.#down(peer, 'a node was silent for too long');
      this.#scheduleTick();
    });
  }

  #isTopic(topic: string): boolean {
    return this.#topics.has(topic) || this.#answers.has(topic);
  }

  #refused(error: unknown): void {
    if (!(error instanceof BadMessage)) {
      this.#bug(error);
      return;
    }
    const known = ['signature', 'version', 'size', 'form'];
    const reason = known.includes(error.message) ? error.message : 'form';
    this.#options.telemetry.count('control_messages_refused', 1, reason);
    this.#options.telemetry.log.debug({ reason: error.message }, 'a control message was refused');
  }

  #bug(error: unknown): void {
    this.#options.telemetry.count('bugs');
    this.#options.telemetry.log.error({ error }, 'bug: a control message could not be handled; please report it');
  }
}

function readBeat(value: unknown): Beat {
  const fields = new MessageFields(value);
  return { isHello: fields.flag('isHello'), isBye: fields.flag('isBye'), notes: fields.fields('notes') };
}

function bodyOf(message: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(message));
}
