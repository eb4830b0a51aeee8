/** For siblings that need more than the public face: testkit, cli, bench. No promise of stability. */
export type { Clock, Timer } from './core/clock.ts';
export type { Random } from './core/random.ts';
export { Fault } from './core/fault.ts';
export type * from './broker/broker.ts';
export type * from './presence/presence.ts';
export type * from './transport/transport.ts';
export type * from './auth/authenticator.ts';
export type * from './auth/authorizer.ts';
export type * from './config/namespace.ts';
export type * from './telemetry/telemetry.ts';
export { SystemClock } from './runtime/system-clock.ts';
export { SystemRandom } from './runtime/system-random.ts';
