import { Disconnect, disconnects, Rejection, rejections } from '@tutti/protocol';
import { ask } from '../asking.ts';
import type { DataGrant, HookAsk } from '../../hooks/hooks.ts';
import type { Call } from '../session.ts';

const nothing = new Uint8Array(0);

/** Calls a method of the application; others of the same connection go on meanwhile. */
export function rpc(call: Call): void {
  const { session, services, command } = call;
  const { method = '', data = nothing } = command.rpc ?? {};
  const { user } = session.identity;
  const context = { user, client: session.id, ...(session.tenant === '' ? {} : { tenant: session.tenant }) };
  const { rpc: hook } = services.hooks;
  const answer =
    services.rpc.has(method) || hook === undefined
      ? withinTime(services.rpc.call(method, data, context), services)
      : askedInTime(call, (asker) => hook({ ...asker, method, data }));
  const answered = answer.catch((error: unknown) => {
    if (error instanceof Rejection || error instanceof Disconnect) throw error;
    // The application's mistake, not the session's: the connection goes on.
    services.telemetry.log.error({ method, error }, 'an rpc method failed');
    throw new Rejection(rejections.internal);
  });
  call.replyWhen(answered.then((answer) => ({ rpc: answer.length > 0 ? { data: answer } : {} })));
}

/** Whoever waits behind the slow calls of its own connection until its time is over has been told, and is not asked about. */
function askedInTime({ session, services }: Call, hook: (ask: HookAsk) => Promise<DataGrant>): Promise<Uint8Array> {
  let isOver = false;
  const unavailable = (): Rejection => new Rejection(rejections.hookUnavailable);
  const granted = ask(session, (asker) => (isOver ? Promise.reject(unavailable()) : hook(asker)));
  return withinTime(
    granted.then(({ data }) => data ?? nothing),
    services,
    unavailable,
  ).finally(() => {
    isOver = true;
  });
}

/** Rejects when the method takes longer than allowed, so that its place among the pending commands is free again. */
function withinTime(
  answer: Promise<Uint8Array>,
  { clock, limits }: Call['services'],
  tooLate = (): Error => new Error(`no answer within ${limits.rpcTimeoutMs} ms`),
): Promise<Uint8Array> {
  const late = Promise.withResolvers<Uint8Array>();
  const timer = clock.after(limits.rpcTimeoutMs, () => {
    late.reject(tooLate());
  });
  return Promise.race([answer, late.promise]).finally(() => {
    timer.cancel();
  });
}

/** A message without an answer. Nothing on this server takes them yet. */
export function send(): void {
  throw new Disconnect(disconnects.notAvailable, 'send without a handler');
}
