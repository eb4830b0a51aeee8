import type { Curve } from '../returning/messages.ts';
import { commonStyle, lastLine, roundUp } from './picture.ts';

/** What the last line of the proof `storm` holds, as far as it is drawn. */
interface StormFigures {
  readonly connections: number;
  readonly options: { readonly rate: number };
  readonly storms: readonly { what: string; backoff: string; backMs: number; curve: Curve }[];
}

const width = 880;
const panel = { width: 370, height: 200, left: 62, top: 92, between: 64, below: 92 };
const binSeconds = 0.25;
const style = `${commonStyle}
  svg { --taken: #1769aa; --refused: #c2410c; --back: #15803d; }
  @media (prefers-color-scheme: dark) { svg { --taken: #62b0f0; --refused: #f59e63; --back: #5fc983; } }
  .limit { stroke: var(--faint); stroke-dasharray: 4 4; }
  .taken { stroke: var(--taken); } .refused { stroke: var(--refused); } .back { stroke: var(--back); }
  text.taken { fill: var(--taken); stroke: none; } text.refused { fill: var(--refused); stroke: none; } text.back { fill: var(--back); stroke: none; }
`;

/** One second of each, smoothed over four bins, so that a curve reads as "a second". */
function perSecond(bins: readonly number[], length: number): number[] {
  return Array.from({ length }, (_, i) =>
    [0, 1, 2, 3].reduce((sum, before) => sum + (i >= before ? (bins[i - before] ?? 0) : 0), 0),
  );
}

function cumulated(bins: readonly number[], length: number): number[] {
  let sum = 0;
  return Array.from({ length }, (_, i) => (sum += bins[i] ?? 0));
}

function path(kind: string, values: readonly number[], scale: { x: number; y: number }): string {
  const points = values.map((value, i) => `${(i * scale.x).toFixed(1)} ${(panel.height - value * scale.y).toFixed(1)}`);
  return `<path class="${kind}" d="M${points.join('L')}"/>`;
}

function drawPanel(
  { what, backoff, backMs, curve }: StormFigures['storms'][number],
  at: { x: number; y: number },
  scales: { bins: number; rateMax: number; connections: number; limit: number },
): string {
  const { bins, rateMax, connections, limit } = scales;
  const x = panel.width / bins;
  const y = panel.height / rateMax;
  const seconds = bins * binSeconds;
  const lines: string[] = [`<g transform="translate(${at.x} ${at.y})">`];
  const who = backoff === 'sdk' ? 'the back-off of the SDK' : 'a fixed back-off of 1 s';
  const how = what === 'cut' ? 'all sockets cut' : 'node killed';
  lines.push(`<text class="head" x="0" y="-12">${how}, ${who}: back in ${(backMs / 1_000).toFixed(1)} s</text>`);
  for (let i = 0; i <= 4; i += 1) {
    const height = (panel.height * i) / 4;
    lines.push(`<line class="grid" x1="0" x2="${panel.width}" y1="${height}" y2="${height}"/>`);
    const label = (rateMax * (4 - i)) / 4;
    lines.push(`<text x="-8" y="${height + 4}" text-anchor="end">${label.toLocaleString('en')}</text>`);
  }
  for (let second = 0; second <= seconds; second += 10) {
    lines.push(
      `<text x="${(second / binSeconds) * x}" y="${panel.height + 18}" text-anchor="middle">${second} s</text>`,
    );
  }
  const limitAt = panel.height - limit * y;
  lines.push(`<line class="limit" x1="0" x2="${panel.width}" y1="${limitAt}" y2="${limitAt}"/>`);
  lines.push(path('back', cumulated(curve.back, bins), { x, y: panel.height / connections }));
  lines.push(
    path(
      'refused',
      perSecond(
        curve.refused.map((count, i) => count + (curve.failed[i] ?? 0)),
        bins,
      ),
      { x, y },
    ),
  );
  lines.push(path('taken', perSecond(curve.accepted, bins), { x, y }), '</g>');
  return lines.join('\n');
}

/** All panels on the same scales: they are there to be compared. */
function draw({ connections, options, storms }: StormFigures): string {
  const bins =
    Math.max(...storms.flatMap(({ curve }) => Object.values(curve).map((line: number[]) => line.length))) + 4;
  const peaks = storms.flatMap(({ curve: { refused, failed } }) =>
    perSecond(
      refused.map((count, i) => count + (failed[i] ?? 0)),
      bins,
    ),
  );
  const rateMax = roundUp(Math.max(options.rate * 2, ...peaks));
  const scales = { bins, rateMax, connections, limit: options.rate };
  const rows = Math.ceil(storms.length / 2);
  const height = panel.top + rows * panel.height + (rows - 1) * panel.below + 60;
  const panels = storms.map((storm, i) => {
    // A column for each back-off, a row for each kind of storm.
    const [column, row] = [Math.floor(i / 2), i % 2];
    const x = panel.left + column * (panel.width + panel.between);
    return drawPanel(storm, { x, y: panel.top + row * (panel.height + panel.below) }, scales);
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Reconnect curves of ${connections} clients">
<style>${style}</style>
<rect width="${width}" height="${height}" fill="var(--paper)"/>
<text class="title" x="${panel.left}" y="28">${connections.toLocaleString('en')} clients return</text>
<text class="taken" x="${panel.left}" y="52">taken, a second</text>
<text class="refused" x="${panel.left + 120}" y="52">refused or failed, a second</text>
<text class="back" x="${panel.left + 300}" y="52">back so far (top of the scale: all)</text>
<text x="${panel.left + 520}" y="52">dashed: connectRateMax, ${options.rate} a second</text>
${panels.join('\n')}
</svg>
`;
}

// npm run -s proof -- storm | node proofs/plots/storm.ts > docs/images/storm.svg
process.stdout.write(draw(JSON.parse(await lastLine()) as StormFigures));
