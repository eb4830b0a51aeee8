import { signal } from '@preact/signals';
import { Nodes } from './nodes.ts';
import { chartSeconds, readStats } from './stats.ts';
import { openChannel } from '../live.ts';
import type { ChannelHandle, LivePublication } from '../live.ts';

export const statsChannel = 'tutti:stats';

/** Publications that may be asked for: those of a few nodes for as long as a chart shows. */
const loadMax = 4 * chartSeconds;

/** What the nodes say about themselves. */
export class StatsFeed {
  readonly nodes = signal(new Nodes());
  readonly refusal = signal('');
  readonly #close: () => void;

  constructor() {
    const take = ({ data }: LivePublication) => {
      const stats = readStats(data, Date.now());
      if (stats !== undefined) this.nodes.value = this.nodes.peek().with(stats);
    };
    const channel = openChannel(statsChannel, {
      publication: take,
      live: (recovered) => {
        this.refusal.value = '';
        if (!recovered) void this.#loadLast(channel, take);
      },
      refused: (reason) => (this.refusal.value = reason),
    });
    this.#close = () => channel.close();
  }

  /** Fills the charts at once, where the node keeps its figures for a while. */
  async #loadLast(channel: ChannelHandle, take: (publication: LivePublication) => void): Promise<void> {
    try {
      const page = await channel.history({ limit: loadMax, reverse: true });
      // Live figures may have come before the answer: those are in it, and all is taken again in order.
      this.nodes.value = new Nodes();
      for (const publication of page.publications.toReversed()) take(publication);
    } catch {
      // It keeps none: the charts fill as time goes.
    }
  }

  close(): void {
    this.#close();
  }
}
