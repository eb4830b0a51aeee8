/** Colours that a page may be read with, light or dark, and how text and grids look in every picture. */
export const commonStyle = `
  svg { --paper: #ffffff; --ink: #1f2430; --faint: #6b7280; --grid: #e3e6ec; }
  @media (prefers-color-scheme: dark) { svg { --paper: #14171d; --ink: #e6e9ef; --faint: #9aa3b2; --grid: #2b313c; } }
  text { font: 12px system-ui, sans-serif; fill: var(--faint); }
  .title { font-size: 15px; font-weight: 600; fill: var(--ink); }
  .head { font-size: 13px; fill: var(--ink); }
  .grid { stroke: var(--grid); }
  path { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
`;

/** A round number, at least `value`. */
export function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return power * ([1, 1.5, 2, 3, 5, 7.5, 10].find((step) => step * power >= value) ?? 10);
}

/** The figures that a proof ended with, from standard input. */
export async function lastLine(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += String(chunk);
  return text.trim().split('\n').at(-1) ?? '';
}
