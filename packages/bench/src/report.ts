import type { Row } from './scenarios/scenario.ts';

type Cell = string | number;

/**
 * Runs of one scenario side by side: of each number its median and range, as text; what is the same
 * in all of them stays as it is. A single run is returned unchanged.
 */
export function mergeRuns(runs: readonly (readonly Row[])[]): readonly Row[] {
  const [first = []] = runs;
  if (runs.length < 2) return first;
  return first.map((row, i) => {
    const cells = Object.keys(row).map((name) => [name, spread(runs.map((rows) => rows[i]?.[name] ?? ''))] as const);
    return Object.fromEntries(cells);
  });
}

function spread(cells: readonly Cell[]): Cell {
  const [first = ''] = cells;
  if (cells.every((cell) => cell === first)) return first;
  const sorted = cells.map(Number).sort((a, b) => a - b);
  return `${sorted[Math.floor((sorted.length - 1) / 2)]} (${sorted[0]}–${sorted.at(-1)})`;
}

/** For a terminal: names on top, texts to the left, numbers to the right. */
export function table(rows: readonly Row[]): string[] {
  const names = Object.keys(rows[0] ?? {});
  const columns = names.map((name) => {
    const cells = rows.map((row) => row[name] ?? '');
    const isText = cells.every((cell) => typeof cell === 'string' && !/^[\d.-]/.test(cell));
    const width = Math.max(name.length, ...cells.map((cell) => String(cell).length));
    return [name, ...cells].map((cell) => (isText ? String(cell).padEnd(width) : String(cell).padStart(width)));
  });
  return [-1, ...rows.keys()].map((i) =>
    columns
      .map((column) => column[i + 1])
      .join('  ')
      .trimEnd(),
  );
}
