import { sparkline } from './quotes.ts';

const width = 120;
const height = 28;

/** The last prices as a line; the numbers beside it say the same. */
export function Sparkline({ series }: { series: readonly number[] }) {
  return (
    <svg class="sparkline" viewBox={`-1 -2 ${width + 2} ${height + 4}`} preserveAspectRatio="none" aria-hidden="true">
      <polyline points={sparkline(series, width, height)} />
    </svg>
  );
}
