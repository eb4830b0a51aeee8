import type { EndContext, HookFunctions } from '../config/hook-functions.ts';
import { wireName } from '../config/tenant.ts';
import type { Clock } from '../core/clock.ts';
import type { Ending, NodeObserver, SessionEnding, SessionFacts } from '../observer/node-observer.ts';
import type { Log } from '../telemetry/telemetry.ts';

/** Ends that wait to be told. Beyond them the application misses some, and the log says so. */
export const endsWaitingMax = 100_000;
/** Told in one turn of the loop: a node that loses ten thousand connections goes on serving the others. */
const endsPerTurn = 100;

/**
 * Tells functions of the application of connections and subscriptions that ended, later and in order.
 * Nothing waits for them: what they throw is logged, and that is all.
 */
export class EndHooks implements NodeObserver {
  readonly disconnected?: NonNullable<NodeObserver['disconnected']>;
  readonly unsubscribed?: NonNullable<NodeObserver['unsubscribed']>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #waiting: (() => unknown)[] = [];
  #isTelling = false;
  #missed = 0;

  constructor({ disconnect, unsubscribe }: HookFunctions, seams: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = seams.clock;
    this.#log = seams.log;
    if (disconnect !== undefined) {
      this.disconnected = (session, ending: SessionEnding) => {
        const context = { ...contextOf(session, ending), byPeer: ending.byPeer };
        this.#later(() => disconnect(context));
      };
    }
    if (unsubscribe !== undefined) {
      this.unsubscribed = (session, channel, ending) => {
        const context = { ...contextOf(session, ending), channel: wireName(channel) };
        this.#later(() => unsubscribe(context));
      };
    }
  }

  #later(tell: () => unknown): void {
    if (this.#waiting.length >= endsWaitingMax) {
      this.#missed += 1;
      return;
    }
    this.#waiting.push(tell);
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#clock.soon(() => this.#tellSome());
  }

  #tellSome(): void {
    for (const tell of this.#waiting.splice(0, endsPerTurn)) this.#tell(tell);
    this.#isTelling = this.#waiting.length > 0;
    if (this.#isTelling) {
      this.#clock.soon(() => this.#tellSome());
      return;
    }
    if (this.#missed === 0) return;
    this.#log.error(
      { seam: 'hooks', missed: this.#missed },
      'disconnect and unsubscribe hooks were not told of some ends',
    );
    this.#missed = 0;
  }

  #tell(tell: () => unknown): void {
    const failed = (error: unknown): void => {
      this.#log.error({ seam: 'hooks', error }, 'a disconnect or unsubscribe hook failed');
    };
    try {
      Promise.resolve(tell()).catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}

function contextOf(session: SessionFacts, { code, reason }: Ending): EndContext {
  const { client, user, tenant, transport, remoteAddress, lagBytes } = session;
  return { client, user, tenant, transport, remoteAddress, lag: { bytes: lagBytes }, code, reason };
}
