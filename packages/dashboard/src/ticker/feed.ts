import { signal } from '@preact/signals';
import type { Signal } from '@preact/signals';
import { applyTick, readTick, symbolsMax } from './quotes.ts';
import type { Quote } from './quotes.ts';
import { openChannel } from '../live.ts';
import type { ChannelHandle, LivePublication } from '../live.ts';
import { RateMeter } from '../rate-meter.ts';

export const tickerChannel = 'ticker:prices';
const rateSeconds = 5;
const firstPage = 200;

/**
 * The ticker as signals, one a symbol, so that a tick redraws its row and nothing else. Ticks are
 * applied once a frame: a fast source costs the page no more than the screen can show.
 */
export class TickerFeed {
  /** By symbol. */
  readonly quotes = signal<readonly Signal<Quote>[]>([]);
  readonly refusal = signal('');
  readonly meter = new RateMeter(rateSeconds, Date.now());

  readonly #bySymbol = new Map<string, Signal<Quote>>();
  readonly #waiting: LivePublication[] = [];
  readonly #close: () => void;
  #frame = 0;

  constructor() {
    const channel = openChannel(tickerChannel, {
      publication: (publication) => {
        this.meter.add(Date.now());
        this.#take(publication);
      },
      live: (recovered) => {
        if (!recovered || this.#bySymbol.size === 0) void this.#loadLast(channel);
      },
      refused: (reason) => (this.refusal.value = reason),
    });
    this.#close = () => channel.close();
  }

  close(): void {
    this.#close();
    cancelAnimationFrame(this.#frame);
  }

  async #loadLast(channel: ChannelHandle): Promise<void> {
    try {
      const page = await channel.history({ limit: firstPage, reverse: true });
      for (const publication of page.publications.toReversed()) this.#take(publication);
    } catch {
      // The channel keeps no history: the rows come with the ticks.
    }
  }

  #take(publication: LivePublication): void {
    this.#waiting.push(publication);
    // A hidden page gets no frames: then the newest few hundred are enough.
    if (this.#waiting.length > 1000) this.#waiting.splice(0, 500);
    this.#frame ||= requestAnimationFrame(() => this.#apply());
  }

  #apply(): void {
    this.#frame = 0;
    for (const { data, key } of this.#waiting.splice(0)) {
      const tick = readTick(data, key, Date.now());
      if (tick === undefined) continue;
      const known = this.#bySymbol.get(tick.symbol);
      if (known !== undefined) known.value = applyTick(known.value, tick);
      else if (this.#bySymbol.size < symbolsMax) this.#addSymbol(applyTick(undefined, tick));
    }
  }

  #addSymbol(quote: Quote): void {
    const entry = signal(quote);
    this.#bySymbol.set(quote.symbol, entry);
    this.quotes.value = [...this.#bySymbol].sort(([a], [b]) => a.localeCompare(b, 'en')).map(([, value]) => value);
  }
}
