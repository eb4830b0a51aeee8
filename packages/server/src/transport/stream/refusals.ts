import { disconnects, isReconnectCode, rejections, type ErrorReply } from '@tutti/protocol';
import type { UpgradeRefusal } from '../transport.ts';

/** What refuses a connection, as the status of a response: readers without an SDK know no other word. */
export function refusalOf({ code, message, temporary }: ErrorReply): UpgradeRefusal {
  if (temporary === true) return { status: 503, message, headers: { 'Retry-After': '1', Connection: 'close' } };
  const isAboutToken = code === rejections.tokenExpired.code || code === rejections.unauthorized.code;
  return { status: isAboutToken ? 401 : 403, message, headers: { Connection: 'close' } };
}

export function refusalOfClose(code: number, reason: string): UpgradeRefusal {
  if (code === disconnects.invalidToken.code) return { status: 401, message: reason, headers: { Connection: 'close' } };
  if (!isReconnectCode(code)) return { status: 403, message: reason, headers: { Connection: 'close' } };
  const waitMs = Number(retryOf(reason) ?? 0);
  const headers = { 'Retry-After': String(Math.max(1, Math.ceil(waitMs / 1_000))), Connection: 'close' };
  return { status: 503, message: reason, headers };
}

/** The hint in a reason (docs/decisions/0003), milliseconds. */
export function retryOf(reason: string): string | undefined {
  return /\bretry=([0-9]{1,7})\b/.exec(reason)?.[1];
}
