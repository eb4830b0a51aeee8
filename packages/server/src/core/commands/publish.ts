import { Rejection, rejections, type PublishRequest, type PublishResult } from '@tutti/protocol';
import type { PublicationDraft, PublishOutcome } from '../../broker/broker.ts';
import type { PublishGrant } from '../../hooks/hooks.ts';
import { ask } from '../asking.ts';
import { fixedLimits } from '../limits.ts';
import { checkMarks, publishTo, type PublishExtras } from '../publishing.ts';
import type { Target } from '../services.ts';
import type { Call, Session } from '../session.ts';
import { isSubscribed } from './is-subscribed.ts';

const utf8 = new TextEncoder();

/**
 * Holds back later commands of the channel only until the log has been called: the order is then
 * fixed, and a connection can have many publishes waiting for one commit.
 */
export function publish(call: Call): Promise<void> | void {
  const { session, services } = call;
  const request = call.command.publish ?? {};
  const target = session.resolve(request.channel);
  const { data } = request;
  if (data === undefined) throw new Rejection(rejections.badRequest, 'a publication needs data');
  // A JSON frame was checked as a whole when it was decoded.
  if (session.connection.codec.name !== 'json') services.checkPayload(data, target.namespace);
  checkKeys(request);
  const subscription = session.subscriptions.get(target.channel);
  const append = (changed?: Uint8Array): void => {
    const draft: PublicationDraft = {
      data: changed ?? data,
      info: session.clientInfo(subscription),
      ...(request.key === undefined || request.key === '' ? {} : { key: request.key }),
      ...(request.final === true ? { final: true } : {}),
    };
    call.replyWhen(
      publishTo(services, target, draft, extras(request, session)).then((outcome) => ({ publish: resultOf(outcome) })),
    );
  };
  if (target.namespace.publishHook) {
    return permitted(call, target, data).then((grant) => {
      // Sent away meanwhile: the application permitted it to somebody who counts for nothing now (CON-6).
      if (services.revocations.endsSession(session.id, session.identity, session.identifiedAtMs)) return;
      append(grant.data);
    });
  }
  const allowed = services.authorizer.authorize({
    verb: 'publish',
    identity: session.identity,
    channel: target.name,
    namespace: target.namespace,
    subscribed: isSubscribed(session, target.channel),
  });
  if (allowed !== undefined) return allowed.then(() => append());
  append();
  return undefined;
}

/** By the application alone: it sees every publication of a client, also of one with a capability. */
function permitted(
  { session, services, command }: Call,
  { name: channel, namespace }: Pick<Target, 'name' | 'namespace'>,
  data: Uint8Array,
): Promise<PublishGrant> {
  const { publish: hook } = services.hooks;
  // A node that is configured so does not start; fail closed all the same.
  if (hook === undefined) throw new Rejection(rejections.hookUnavailable);
  const { key = '', idempotency_key: idempotencyKey = '' } = command.publish ?? {};
  return ask(session, (asker) =>
    hook({
      ...asker,
      ...{ channel, data, payload: namespace.payload },
      ...(key === '' ? {} : { key }),
      ...(idempotencyKey === '' ? {} : { idempotencyKey }),
    }),
  );
}

function checkKeys(request: PublishRequest): void {
  checkMarks({ key: request.key ?? '' });
  if (utf8.encode(request.idempotency_key ?? '').length > fixedLimits.idempotencyKeyBytesMax) {
    throw new Rejection(
      rejections.badRequest,
      `an idempotency key may have ${fixedLimits.idempotencyKeyBytesMax} bytes`,
    );
  }
}

function extras(request: PublishRequest, session: Session): PublishExtras {
  const { idempotency_key: key = '', expected_offset: offset, expected_epoch: epoch = '' } = request;
  return {
    // A key belongs to its user: nobody can make another's publication look like a repetition (S34).
    ...(key === '' ? {} : { idempotencyKey: `u\n${session.identity.user}\n${key}` }),
    ...(offset === undefined ? {} : { expected: { offset, epoch } }),
  };
}

function resultOf(outcome: PublishOutcome): PublishResult {
  return {
    ...outcome.position,
    ...(outcome.duplicate ? { duplicate: true } : {}),
  };
}
