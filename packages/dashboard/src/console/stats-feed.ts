import { signal } from '@preact/signals';
import { addSample, chartSeconds, readStats } from './stats.ts';
import type { NodeStats } from './stats.ts';
import { openChannel } from '../live.ts';
import type { ChannelHandle, LivePublication } from '../live.ts';

export const statsChannel = 'tutti:stats';

/** What the node says about itself, newest last. */
export class StatsFeed {
  readonly samples = signal<readonly NodeStats[]>([]);
  readonly refusal = signal('');
  readonly #close: () => void;

  constructor() {
    const take = ({ data }: LivePublication) => {
      const stats = readStats(data, Date.now());
      if (stats !== undefined) this.samples.value = addSample(this.samples.peek(), stats);
    };
    const channel = openChannel(statsChannel, {
      publication: take,
      live: (recovered) => {
        if (!recovered) void this.#loadLast(channel, take);
      },
      refused: (reason) => (this.refusal.value = reason),
    });
    this.#close = () => channel.close();
  }

  /** Fills the charts at once, where the node keeps its figures for a while. */
  async #loadLast(channel: ChannelHandle, take: (publication: LivePublication) => void): Promise<void> {
    try {
      const page = await channel.history({ limit: chartSeconds, reverse: true });
      // Live figures may have come before the answer: those are in it, and all is taken again in order.
      this.samples.value = [];
      for (const publication of page.publications.toReversed()) take(publication);
    } catch {
      // It keeps none: the charts fill as time goes.
    }
  }

  close(): void {
    this.#close();
  }
}
