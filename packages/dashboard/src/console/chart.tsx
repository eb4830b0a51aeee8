import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatRate } from '../format.ts';
import { chartSeconds } from './stats.ts';
import type { Series } from './stats.ts';

export interface ChartLine {
  readonly label: string;
  /** Name of the colour among the page's own. */
  readonly color: '--accent' | '--brass' | '--violet';
  readonly isFilled?: boolean;
}

interface ChartProps {
  title: string;
  lines: readonly ChartLine[];
  series: Series;
}

const heightPx = 180;
/** Steps of the vertical axis: there are no half connections. */
const wholeSteps = [1, 2, 5]
  .flatMap((step) => [0, 1, 2, 3, 4, 5, 6].map((power) => step * 10 ** power))
  .sort((a, b) => a - b);

/** A live line chart over the last two minutes. The figures of the newest point stand beside the title as text. */
export function Chart({ title, lines, series }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(series);
  newest.current = series;

  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const create = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(element, lines), newest.current, element);
    };
    create();
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', create);
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: heightPx }));
    observer.observe(element);
    return () => {
      scheme.removeEventListener('change', create);
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.setData(series), [series]);

  return (
    <figure class="chart card">
      <figcaption>
        <h2>{title}</h2>
        <ul class="legend">
          {lines.map((line, index) => (
            <li key={line.label} style={{ '--color': `var(${line.color})` }}>
              {line.label} <strong>{formatRate(newestValue(series, index))}</strong>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} class="plot" aria-hidden="true" />
    </figure>
  );
}

function newestValue(series: Series, index: number): number {
  return series[index + 1]?.at(-1) ?? Number.NaN;
}

function optionsOf(element: HTMLElement, lines: readonly ChartLine[]): uPlot.Options {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color('--muted'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    font: `12px ${style.fontFamily}`,
  };
  return {
    width: element.clientWidth,
    height: heightPx,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: { time: true, range: (_, __, max) => [max - chartSeconds, max] },
      // A line of zeroes lies on the floor, not in the middle.
      y: { range: (_, __, max) => [0, Math.max(4, (max || 0) * 1.15)] },
    },
    axes: [
      { ...axis, space: 80, size: 30, values: (_, times) => times.map(clockTime) },
      { ...axis, size: 52, incrs: wholeSteps, values: (_, values) => values.map(formatRate) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        width: 1.75,
        points: { show: false },
        spanGaps: false,
        ...(line.isFilled && { fill: `color-mix(in srgb, ${color(line.color)} 14%, transparent)` }),
      })),
    ],
  };
}

function clockTime(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}
