import { commonStyle, lastLine, roundUp } from './picture.ts';

/** What the last line of the proof `slow-reader` holds, as far as it is drawn. */
interface SlowReaderFigures extends Record<string, unknown> {
  readonly options: {
    readonly rate: number;
    readonly readers: number;
    readonly slow: number;
    readonly seconds: number;
  };
}
interface ModeFigures {
  readonly slowBehind: readonly number[];
  readonly p99Ms: { readonly with: number };
}

const modes = [
  { name: 'all_with_history', label: 'all, with history: fed from it, nothing left out' },
  { name: 'all_without_history', label: 'all, drop' },
  { name: 'latest', label: 'latest' },
  { name: 'latest_by_key', label: 'latest_by_key' },
] as const;

const sampleSeconds = 0.1;
const frame = { left: 62, top: 104, width: 770, height: 250 };
const style = `${commonStyle}
  svg { --m0: #7c3aed; --m1: #c2410c; --m2: #1769aa; --m3: #15803d; }
  @media (prefers-color-scheme: dark) { svg { --m0: #b794f6; --m1: #f59e63; --m2: #62b0f0; --m3: #5fc983; } }
  .stop { stroke: var(--faint); stroke-dasharray: 4 4; }
  ${modes.map((_, i) => `.m${i} { stroke: var(--m${i}); } text.m${i} { fill: var(--m${i}); stroke: none; }`).join(' ')}
`;

function draw(figures: SlowReaderFigures): string {
  const { rate, readers, slow, seconds } = figures.options;
  const lines = modes.map(({ name }) => (figures[name] as ModeFigures).slowBehind.map((behind) => behind / rate));
  const spanSeconds = Math.ceil(Math.max(...lines.map((line) => line.length)) * sampleSeconds);
  const most = roundUp(Math.max(...lines.flat()));
  const x = (second: number): number => frame.left + (second / spanSeconds) * frame.width;
  const y = (behind: number): number => frame.top + frame.height * (1 - behind / most);
  const grid = [0, 1, 2, 3, 4].map((i) => {
    const at = y((most * i) / 4);
    const label = `<text x="${frame.left - 8}" y="${at + 4}" text-anchor="end">${(most * i) / 4} s</text>`;
    return `<line class="grid" x1="${frame.left}" x2="${frame.left + frame.width}" y1="${at}" y2="${at}"/>${label}`;
  });
  const ticks = Array.from({ length: spanSeconds + 1 }, (_, i) => i)
    .filter((second) => second % 2 === 0)
    .map(
      (second) => `<text x="${x(second)}" y="${frame.top + frame.height + 18}" text-anchor="middle">${second} s</text>`,
    );
  const stop = `<line class="stop" x1="${x(seconds)}" x2="${x(seconds)}" y1="${frame.top}" y2="${frame.top + frame.height}"/>`;
  const paths = lines.map((line, i) => {
    const points = line.map((behind, at) => `${x(at * sampleSeconds).toFixed(1)} ${y(behind).toFixed(1)}`);
    return `<path class="m${i}" d="M${points.join('L')}"/>`;
  });
  const legend = modes.map(
    ({ label }, i) => `<text class="m${i}" x="${[62, 376, 470, 540][i] ?? 0}" y="56">${label}</text>`,
  );
  const fast = Math.max(...modes.map(({ name }) => (figures[name] as ModeFigures).p99Ms.with));
  const height = frame.top + frame.height + 44;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 ${height}" width="880" height="${height}" role="img" aria-label="How far slow readers are behind, by delivery">
<style>${style}</style>
<rect width="880" height="${height}" fill="var(--paper)"/>
<text class="title" x="${frame.left}" y="28">How far the slowest of ${slow} readers at 1 KB/s is behind, at ${rate} publications a second</text>
${legend.join('\n')}
<text x="${frame.left}" y="80">dashed: publishing stops; then the slow ones read fast. 99 % of what the ${readers.toLocaleString('en')} fast ones got came within ${Math.round(fast)} ms</text>
${[...grid, ...ticks, stop, ...paths].join('\n')}
</svg>
`;
}

// npm run -s proof -- slow-reader | node proofs/plots/slow-reader.ts > docs/images/slow-reader.svg
process.stdout.write(draw(JSON.parse(await lastLine()) as SlowReaderFigures));
