import { nowMicroseconds } from '@tutti/bench/load/timed-payload';
import { connectionToken } from '@tutti/bench/load/token';
import type { Address } from '@tutti/bench/load/raw-connection';
import {
  quarterUs,
  type BackoffKind,
  type BeginRequest,
  type Curve,
  type FillRequest,
  type FleetReply,
  type FleetRequest,
  type FleetState,
  type Sequences,
} from './messages.ts';
import { attemptMsMax, ReturningClient, type ClientOwner } from './returning-client.ts';

/** Clients of this process whose publications are kept, to be compared one by one. */
const sampleMax = 50;
const fillTickMs = 50;
const sweepMs = 500;

/** The clients of one process. */
class ReturningPool implements ClientOwner {
  target: Address = { host: '127.0.0.1', port: 0, path: '/' };
  backoff: BackoffKind = 'sdk';
  readonly #clients: ReturningClient[] = [];
  readonly #sample: [string, number, number][] = [];
  #troubles: Record<string, number> = {};
  #curve = emptyCurve();
  #beganUs = nowMicroseconds();
  #lastBackUs = 0;
  #timedOut = 0;
  #ready = 0;

  fill(request: FillRequest): void {
    this.target = request.target;
    let opened = 0;
    const startedMs = performance.now();
    const timer = setInterval(() => {
      const due = Math.min(request.count, ((performance.now() - startedMs) * request.perSecond) / 1_000);
      for (; opened < due; opened += 1) this.#add(request, request.firstIndex + opened);
      if (opened >= request.count) clearInterval(timer);
    }, fillTickMs);
    setInterval(() => {
      this.#sweep();
    }, sweepMs).unref();
  }

  begin({ atUs, backoff, cut }: BeginRequest): void {
    this.backoff = backoff;
    this.#beganUs = atUs;
    this.#curve = emptyCurve();
    this.#lastBackUs = 0;
    this.#timedOut = 0;
    this.#troubles = {};
    if (!cut) return;
    setTimeout(
      () => {
        for (const client of this.#clients) client.cut();
      },
      Math.max(0, (atUs - nowMicroseconds()) / 1_000),
    );
  }

  get state(): FleetState {
    return {
      ready: this.#ready,
      curve: this.#curve,
      lastBackUs: this.#lastBackUs,
      timedOut: this.#timedOut,
      troubles: this.#troubles,
    };
  }

  check(tops: Readonly<Record<string, number>>): Sequences {
    const total = { publications: 0, behind: 0, holes: 0, duplicates: 0, gaps: 0, recoveries: 0 };
    for (const client of this.#clients) {
      total.publications += client.publications;
      total.holes += client.holes;
      total.duplicates += client.duplicates;
      total.gaps += client.gaps;
      total.recoveries += client.recoveries;
      if (client.offset < (tops[client.channel] ?? 0)) total.behind += 1;
    }
    return { ...total, sample: this.#sample };
  }

  // What clients call.

  accepted(): void {
    this.#add1('accepted');
  }
  refused(): void {
    this.#add1('refused');
  }
  failed(why: string): void {
    this.#trouble(why);
    this.#add1('failed');
  }
  back(): void {
    this.#ready += 1;
    this.#lastBackUs = nowMicroseconds() - this.#beganUs;
    this.#add1('back');
  }
  lost(why: string): void {
    this.#ready -= 1;
    this.#trouble(why.replace(/retry=\d+/, 'retry=…'));
    this.#add1('lost');
  }
  saw(client: ReturningClient, offset: number, number: number): void {
    if (client.index - this.#clients[0]!.index < sampleMax) this.#sample.push([client.channel, offset, number]);
  }

  #add({ namespace, channels, secret }: FillRequest, index: number): void {
    const token = connectionToken(`u${index}`, secret);
    const client = new ReturningClient(index, `${namespace}:${index % channels}`, token, this);
    this.#clients.push(client);
    client.open();
  }

  #sweep(): void {
    const before = performance.now() - attemptMsMax;
    for (const client of this.#clients) {
      if ((client.attemptSinceMs ?? Infinity) > before) continue;
      this.#timedOut += 1;
      client.giveUp();
    }
  }

  #trouble(why: string): void {
    this.#troubles[why] = (this.#troubles[why] ?? 0) + 1;
  }

  #add1(what: keyof Curve): void {
    const bin = Math.max(0, Math.floor((nowMicroseconds() - this.#beganUs) / quarterUs));
    const line = this.#curve[what];
    while (line.length <= bin) line.push(0);
    line[bin] = line[bin]! + 1;
  }
}

function emptyCurve(): Curve {
  return { accepted: [], refused: [], failed: [], back: [], lost: [] };
}

const pool = new ReturningPool();

function answer(request: FleetRequest): FleetReply {
  switch (request.do) {
    case 'fill':
      pool.fill(request);
      return { done: 'ok' };
    case 'begin':
      pool.begin(request);
      return { done: 'ok' };
    case 'state':
      return { done: 'state', state: pool.state };
    case 'check':
      return { done: 'check', sequences: pool.check(request.tops) };
  }
}

process.on('message', (request: FleetRequest) => {
  let reply: FleetReply;
  try {
    reply = answer(request);
  } catch (error) {
    reply = { failed: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(reply);
});
// The proof is gone: nobody would ever end this process otherwise.
process.on('disconnect', () => process.exit(0));
