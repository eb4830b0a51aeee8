/**
 * Connections from one address to one port are bounded by the ports of that address; systems hand
 * out about 28,000. The whole of 127.0.0.0/8 is this machine, so more come from its next address.
 */
export const connectionsPerSource = 20_000;
const sourcesMax = 250;
export const connectionsMax = connectionsPerSource * sourcesMax;

/**
 * Address from which the connection with this number (from 0) is made; undefined where the system may
 * choose. It finds a free port at once then, while with an address it searches, ever longer as they fill.
 */
export function sourceAddress(index: number): string | undefined {
  const source = Math.max(0, Math.floor(index / connectionsPerSource));
  return source === 0 ? undefined : `127.0.0.${1 + source}`;
}
