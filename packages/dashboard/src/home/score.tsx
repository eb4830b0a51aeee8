import { useEffect, useRef } from 'preact/hooks';
import { link, onActivity } from '../live.ts';
import { ScoreTape, columnMs, pitchOf, pitchOfChange } from './score-tape.ts';
import type { Staff } from './score-tape.ts';
import { readTick } from '../ticker/quotes.ts';

const columnPx = 18;
const linePx = 9;
const staffTops = [26, 98] as const;
const heightPx = 152;
/** A bar line every so many columns. */
const barColumns = 8;

interface Ink {
  line: string;
  note: string;
  chat: string;
}

/** What reaches this page, written down as it happens. Decoration: the same facts are text elsewhere. */
export function Score() {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => (canvas.current ? play(canvas.current) : undefined), []);
  return (
    <figure class="score">
      <canvas ref={canvas} aria-hidden="true" />
      <figcaption>
        Notes are publications as they reach this page: the ticker on the upper staff, chat and console on the lower.
        Stop the server and the music stops; start it and it goes on.
      </figcaption>
    </figure>
  );
}

/** Draws until the returned function is called. */
function play(canvas: HTMLCanvasElement): () => void {
  const tape = new ScoreTape();
  const reduced = matchMedia('(prefers-reduced-motion: reduce)');
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  let ink = readInk(canvas);
  const repaint = () => (ink = readInk(canvas));
  scheme.addEventListener('change', repaint);
  const stopActivity = onActivity((channel, publication) => {
    const tick = channel.startsWith('ticker:') ? readTick(publication.data, publication.key, Date.now()) : undefined;
    const staff: Staff = tick === undefined ? 1 : 0;
    tape.add(staff, tick === undefined ? pitchOf(publication.user ?? channel) : pitchOfChange(tick.change), Date.now());
  });
  const stopLink = link.subscribe((current) => tape.setLinked(current.phase === 'connected', Date.now()));

  let frame = 0;
  let drawnColumn = -1;
  const tick = () => {
    frame = requestAnimationFrame(tick);
    const position = Date.now() / columnMs;
    // Reduced motion: the paper moves a column at a time instead of gliding.
    const shown = reduced.matches ? Math.floor(position) : position;
    if (reduced.matches && shown === drawnColumn) return;
    drawnColumn = shown;
    draw(canvas, tape, shown, ink);
  };
  tick();
  return () => {
    cancelAnimationFrame(frame);
    scheme.removeEventListener('change', repaint);
    stopActivity();
    stopLink();
  };
}

function readInk(canvas: HTMLCanvasElement): Ink {
  const style = getComputedStyle(canvas);
  const color = (name: string) => style.getPropertyValue(name).trim();
  return { line: color('--staff'), note: color('--accent'), chat: color('--brass') };
}

function draw(canvas: HTMLCanvasElement, tape: ScoreTape, position: number, ink: Ink): void {
  const width = canvas.clientWidth;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(heightPx * ratio);
  }
  const paper = canvas.getContext('2d');
  if (paper === null) return;
  paper.setTransform(ratio, 0, 0, ratio, 0, 0);
  paper.clearRect(0, 0, width, heightPx);
  const xOf = (column: number) => width - 28 - (position - column) * columnPx;
  drawStaves(paper, width, ink.line);
  drawBars(paper, xOf, position, ink.line);
  drawRests(paper, tape, xOf, width);
  for (const column of tape.columns()) {
    const x = xOf(column.index + 0.5);
    if (x < -columnPx || x > width) continue;
    column.notes.forEach((notes, staff) =>
      drawChord(paper, x, notes, staffTops[staff] ?? 0, staff === 0 ? ink.note : ink.chat),
    );
  }
  drawBracket(paper, ink.note);
}

function drawStaves(paper: CanvasRenderingContext2D, width: number, color: string): void {
  paper.fillStyle = color;
  for (const top of staffTops) {
    for (let line = 0; line < 5; line += 1) paper.fillRect(0, top + line * linePx, width, 1);
  }
}

function drawBars(
  paper: CanvasRenderingContext2D,
  xOf: (column: number) => number,
  position: number,
  color: string,
): void {
  paper.fillStyle = color;
  const bottom = staffTops[1] + 4 * linePx;
  for (let bar = Math.floor(position / barColumns) * barColumns; xOf(bar) > 0; bar -= barColumns) {
    paper.fillRect(Math.round(xOf(bar)), staffTops[0], 1, bottom - staffTops[0] + 1);
  }
}

/** Without a connection there is no paper: the staves break off, and begin again behind a double bar. */
function drawRests(
  paper: CanvasRenderingContext2D,
  tape: ScoreTape,
  xOf: (column: number) => number,
  width: number,
): void {
  for (const rest of tape.rests()) {
    const from = Math.max(0, xOf(rest.from));
    const to = rest.to === undefined ? width : xOf(rest.to);
    if (to <= from) continue;
    paper.clearRect(from, 0, to - from, heightPx);
  }
}

function drawChord(paper: CanvasRenderingContext2D, x: number, notes: number, top: number, color: string): void {
  if (notes === 0) return;
  paper.fillStyle = color;
  let highest = Number.POSITIVE_INFINITY;
  let lowest = 0;
  for (let pitch = 0; pitch < 9; pitch += 1) {
    if ((notes & (1 << pitch)) === 0) continue;
    const y = top + 4 * linePx - (pitch * linePx) / 2;
    highest = Math.min(highest, y);
    lowest = Math.max(lowest, y);
    paper.beginPath();
    paper.ellipse(x, y, 5.2, 3.8, -0.35, 0, Math.PI * 2);
    paper.fill();
  }
  paper.fillRect(x + 4.2, highest - 22, 1.4, lowest - highest + 22);
}

function drawBracket(paper: CanvasRenderingContext2D, color: string): void {
  paper.fillStyle = color;
  const top = staffTops[0] - 4;
  const bottom = staffTops[1] + 4 * linePx + 5;
  paper.fillRect(0, top, 4, bottom - top);
}
