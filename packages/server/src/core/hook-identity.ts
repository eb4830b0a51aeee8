import type { ConnectAttempt, Identity } from '../auth/authenticator.ts';
import type { ConnectGrant } from '../hooks/hooks.ts';
import { ask } from './asking.ts';
import type { Services } from './services.ts';
import type { Session } from './session.ts';
import { judged } from './token-failures.ts';

export interface Admitted {
  readonly identity: Identity;
  /** For the client, with the answer to its connect. */
  readonly data?: Uint8Array;
}

/**
 * Who connects: by its token, or by the word of the application, where a connect hook is there. A token that
 * a client brings must be good in any case. Throws what the authenticator or the hook does.
 */
export async function admit(session: Session, services: Services, attempt: ConnectAttempt): Promise<Admitted> {
  const { authenticator, hooks } = services;
  const identified = (): Promise<Identity> =>
    judged('connect', attempt.token, session, services, () => authenticator.connect(attempt));
  const { connect, connectFor } = hooks;
  if (connect === undefined || (attempt.token !== '' && connectFor === 'no_token')) {
    return { identity: await identified() };
  }
  const known = attempt.token === '' ? undefined : await identified();
  const { name, version, data } = attempt;
  const askedAtMs = services.clock.now();
  const granted = await ask(session, (asker) =>
    connect({
      ...asker,
      user: known?.user ?? '',
      ...(known?.tenant === undefined ? {} : { tenant: known.tenant }),
      isVerified: known !== undefined,
      ...{ name, version },
      ...(data === undefined ? {} : { data }),
    }),
  );
  const identity = known === undefined ? identityOf(granted, askedAtMs) : withGrant(known, granted);
  return { identity, ...(granted.data === undefined ? {} : { data: granted.data }) };
}

/** What a hook gave at the connect stays when a new token takes the place of the old one. */
export function renewed(identity: Identity, before: Identity): Identity {
  return before.fromHook === undefined ? identity : withGrant(identity, before.fromHook);
}

/**
 * What was revoked before the application was asked does not concern it. What is revoked while it answers does:
 * nobody can tell whether the answer was made before or after (CON-6).
 */
function identityOf(granted: ConnectGrant, issuedAtMs: number): Identity {
  const { user, expiresAtMs, info, channels, capabilities } = granted;
  return {
    ...{ user, issuedAtMs, channels, capabilities },
    ...(granted.tenant === undefined ? {} : { tenant: granted.tenant }),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(info === undefined ? {} : { info }),
    fromHook: { ...(granted.meta === undefined ? {} : { meta: granted.meta }), isAlone: true },
  };
}

type Extra = Pick<ConnectGrant, 'info' | 'meta' | 'channels' | 'capabilities'> | NonNullable<Identity['fromHook']>;

/** The token stays in force: its user and its expiry are what they are. */
function withGrant(identity: Identity, extra: Extra): Identity {
  const { info = identity.info, meta, channels = [], capabilities = [] } = extra;
  return {
    ...identity,
    ...(info === undefined ? {} : { info }),
    channels: [...identity.channels, ...channels],
    capabilities: [...identity.capabilities, ...capabilities],
    fromHook: {
      isAlone: false,
      ...(extra.info === undefined ? {} : { info: extra.info }),
      ...(meta === undefined ? {} : { meta }),
      ...{ channels, capabilities },
    },
  };
}
