import { Rejection, rejections } from '@tutti/protocol';
import { fixedLimits } from '../limits.ts';
import type { Call } from '../session.ts';
import { mustCarry } from '../subscribing.ts';
import { isSubscribed } from './is-subscribed.ts';

/** A page of kept publications, and the channel's position. */
export async function history(call: Call): Promise<void> {
  const { session, services } = call;
  const request = call.command.history ?? {};
  const { channel, name, namespace } = session.resolve(request.channel);
  mustCarry(session, namespace);
  const { identity } = session;
  await services.authorizer.authorize({
    verb: 'history',
    identity,
    channel: name,
    namespace,
    subscribed: isSubscribed(session, channel),
  });
  const asked = request.limit ?? 0;
  const { historyPageMax } = services.limits;
  const page = await services.broker.history(channel, {
    limit: asked < 0 ? historyPageMax : Math.min(asked, historyPageMax),
    bytesMax: fixedLimits.historyPageBytesMax,
    ...(request.since === undefined
      ? {}
      : { since: { offset: request.since.offset ?? 0, epoch: request.since.epoch ?? '' } }),
    ...(request.reverse === true ? { reverse: true } : {}),
  });
  const epoch = request.since?.epoch ?? '';
  const isForeign =
    epoch === '' ? (request.since?.offset ?? 0) > 0 && request.reverse !== true : epoch !== page.top.epoch;
  if (isForeign) {
    throw new Rejection(rejections.unrecoverablePosition, 'the position belongs to another epoch of the channel');
  }
  await session.answerTurn();
  call.reply({ history: { publications: [...page.publications], ...page.top } });
}
