import { Rejection, rejections } from '@tutti/protocol';
import type { Identity } from '../auth/authenticator.ts';
import type { HookAsk } from '../hooks/hooks.ts';
import type { Connection } from '../transport/transport.ts';
import { fixedLimits } from './limits.ts';
import type { SessionState } from './session-state.ts';
import { Slots } from './slots.ts';

/** A session, as far as hooks are shown it. */
export interface Asker {
  readonly id: string;
  readonly connection: Pick<Connection, 'transport' | 'codec' | 'remoteAddress' | 'headers'>;
  readonly state: SessionState;
  readonly isIdentified: boolean;
  readonly identity: Identity;
  readonly lag: { readonly bytes: number; readonly roundTripMs: number | undefined };
}

/** Not a field of the session: few sessions ask, and there are very many. */
const slotsOf = new WeakMap<Asker, Slots>();

/**
 * Asks a hook on behalf of a session. One connection has a few calls under way and its others wait: however
 * slow the application, nobody takes the place of the others (S21). Rejects as the hook does.
 */
export async function ask<Grant>(session: Asker, call: (ask: HookAsk) => Promise<Grant>): Promise<Grant> {
  let slots = slotsOf.get(session);
  if (slots === undefined) slotsOf.set(session, (slots = new Slots(fixedLimits.hookCallsPerSessionMax)));
  const free = slots.take();
  if (free !== undefined) await free;
  try {
    if (session.state === 'closed') throw new Rejection(rejections.notAvailable, 'the connection ended');
    return await call(askOf(session));
  } finally {
    slots.give();
  }
}

const noHeaders = {};

function askOf(session: Asker): HookAsk {
  const { id, connection, lag } = session;
  const who = session.isIdentified ? session.identity : undefined;
  return {
    client: id,
    user: who?.user ?? '',
    ...(who?.tenant === undefined ? {} : { tenant: who.tenant }),
    transport: connection.transport,
    codec: connection.codec.name,
    remoteAddress: connection.remoteAddress,
    headers: connection.headers ?? noHeaders,
    ...(who?.fromHook?.meta === undefined ? {} : { meta: who.fromHook.meta }),
    lagBytes: lag.bytes,
    ...(lag.roundTripMs === undefined ? {} : { lagMs: lag.roundTripMs }),
  };
}
