import { attacks, type Target } from './attacks.ts';

export interface AttackOrder {
  readonly target: Target;
  /** Of each attack at the same time. */
  readonly copies: number;
  readonly ms: number;
  /** Names of the attacks; empty: all. */
  readonly only: readonly string[];
}

/** By name: how often each end was seen. */
export type AttackReport = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Who was refused comes back after this, and up to as long again. */
const refusedPauseMs = 500;
/** Attackers are not on this machine: TCP, handshake and connect cost them three round trips of this together. */
const roundTripsMs = 100;

async function attackAgain(
  name: string,
  order: AttackOrder,
  ends: Record<string, number>,
  untilMs: number,
): Promise<void> {
  const { attack } = attacks[name]!;
  do {
    const how = await attack(order.target);
    ends[how] = (ends[how] ?? 0) + 1;
    const pauseMs = how === 'refused' ? refusedPauseMs : roundTripsMs;
    await new Promise((resolve) => setTimeout(resolve, pauseMs * (1 + Math.random())));
  } while (performance.now() < untilMs);
}

process.once('message', (order: AttackOrder) => {
  const untilMs = performance.now() + order.ms;
  const report: Record<string, Record<string, number>> = {};
  const names = order.only.length > 0 ? order.only : Object.keys(attacks);
  const loops = names.flatMap((name) => {
    const ends: Record<string, number> = (report[name] = {});
    return Array.from({ length: order.copies }, () => attackAgain(name, order, ends, untilMs));
  });
  void Promise.all(loops).then(() => {
    process.send?.(report);
  });
});
process.on('disconnect', () => process.exit(0));
