import { signal } from '@preact/signals';
import { addSample, readStats } from './stats.ts';
import type { NodeStats } from './stats.ts';
import { openChannel } from '../live.ts';
import type { LivePublication } from '../live.ts';

export const statsChannel = 'tutti:stats';

/** What the node says about itself, newest last. */
export class StatsFeed {
  readonly samples = signal<readonly NodeStats[]>([]);
  readonly refusal = signal('');
  readonly #close: () => void;

  constructor() {
    const take = ({ data }: LivePublication) => {
      const stats = readStats(data, Date.now());
      if (stats === undefined) return;
      const last = this.samples.peek().at(-1);
      // Another node answers now: its numbers do not continue the lines of the first.
      const before = last !== undefined && last.node !== stats.node ? [] : this.samples.peek();
      this.samples.value = addSample(before, stats);
    };
    const channel = openChannel(statsChannel, {
      publication: take,
      refused: (reason) => (this.refusal.value = reason),
    });
    this.#close = () => channel.close();
  }

  close(): void {
    this.#close();
  }
}
