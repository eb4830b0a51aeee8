import type { RpcHandler } from '@tutti/server/config';

/** What the demo needs of a server. */
export interface DemoTarget {
  publish(channel: string, data: unknown, options?: { key?: string }): Promise<unknown>;
}

/** Invented companies and their opening prices. */
const openings: readonly (readonly [string, number])[] = [
  ['ALTO', 182.4],
  ['BASS', 94.15],
  ['CLEF', 311.8],
  ['DUET', 57.32],
  ['ETUDE', 128.9],
  ['FUGUE', 240.05],
  ['GLOSS', 16.78],
  ['HYMN', 402.6],
];
export const tickerChannel = 'ticker:prices';
/** One symbol each time: 40 publications a second, 5 a symbol. */
const tickMs = 25;

/** Methods to try `rpc` with. */
export const demoMethods: Readonly<Record<string, RpcHandler>> = {
  time: () => ({ time: Date.now(), iso: new Date().toISOString() }),
  echo: (data) => data ?? null,
};

/** One step of a random walk that is drawn back to its opening price; never below a cent. Cents are whole. */
export function nextPrice(price: number, opening: number, chance: number): number {
  const drift = (opening - price) * 0.002;
  const moved = price + drift + opening * 0.0025 * (chance * 2 - 1);
  return Math.max(0.01, Math.round(moved * 100) / 100);
}

/** Publishes random-walk prices until the returned function is called. Failures are the server's to log. */
export function startDemo(server: DemoTarget): () => void {
  const prices = openings.map(([, opening]) => opening);
  let turn = 0;
  const timer = setInterval(() => {
    const index = turn % openings.length;
    turn += 1;
    const [symbol, opening] = openings[index]!;
    const price = nextPrice(prices[index]!, opening, Math.random());
    prices[index] = price;
    const change = Math.round((price / opening - 1) * 10_000) / 100;
    server.publish(tickerChannel, { symbol, price, change, time: Date.now() }, { key: symbol }).catch(() => undefined);
  }, tickMs);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}
