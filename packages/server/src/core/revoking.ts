import { disconnects, unsubscribes } from '@tutti/protocol';
import type { Revocation } from '../revocation/revocation-list.ts';
import { takeAway } from './ending-subscriptions.ts';
import type { Services } from './services.ts';
import type { Session } from './session.ts';

/**
 * Ends what newly known revocations leave without credentials (CON-6): sessions, and subscriptions that a
 * revoked token opened. One pass over the sessions, however many revocations there are.
 */
export function endRevoked(sessions: Iterable<Session>, services: Services, news: readonly Revocation[]): void {
  const { revocations, telemetry } = services;
  const concernsTokens = news.some(({ what }) => what === 'token');
  for (const session of [...sessions]) {
    if (!session.isIdentified) continue;
    const { identity, tenant } = session;
    if (revocations.endsSession(session.id, identity, session.identifiedAtMs)) {
      telemetry.count('sessions_revoked');
      session.disconnect(disconnects.invalidToken, 'revoked');
      continue;
    }
    if (!concernsTokens) continue;
    for (const subscription of [...session.subscriptions.values()]) {
      if (revocations.endsToken(tenant, subscription.grant?.tokenId))
        takeAway(session, subscription, unsubscribes.stateInvalidated);
    }
  }
}

/** Who is sent away by its client id must not come back with the token that it had (CON-6). */
export function impliedBy(
  session: Session | undefined,
  { what, tenant }: Revocation,
): { tokenId: string; expiresAtMs?: number } | undefined {
  if (what !== 'session' || session?.isIdentified !== true || session.tenant !== tenant) return undefined;
  const { tokenId, expiresAtMs } = session.identity;
  if (tokenId === undefined) return undefined;
  return { tokenId, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
}
