import { Rejection, rejections, type ClientInfo } from '@tutti/protocol';
import { fixedLimits } from '../limits.ts';
import type { Call } from '../session.ts';
import { isSubscribed } from './is-subscribed.ts';

/** Who is in the channel. */
export async function presence(call: Call): Promise<void> {
  const channel = await permitted(call, call.command.presence?.channel);
  const { presenceMembersMax } = fixedLimits;
  const { clients } = await call.services.presence.stats(channel);
  if (clients > presenceMembersMax) {
    throw new Rejection(rejections.limitExceeded, `more than ${presenceMembersMax} members: use presence_stats`);
  }
  // Made after its turn came: a list that waits would be memory that waits.
  await call.session.answerTurn();
  const members: Record<string, ClientInfo> = Object.create(null) as Record<string, ClientInfo>;
  for (const member of await call.services.presence.members(channel)) members[member.client] = member;
  call.reply({ presence: { presence: members } });
}

/** How many are in the channel, without listing them. */
export async function presenceStats(call: Call): Promise<void> {
  const channel = await permitted(call, call.command.presence_stats?.channel);
  const { clients, users } = await call.services.presence.stats(channel);
  call.reply({ presence_stats: { num_clients: clients, num_users: users } });
}

async function permitted({ session, services }: Call, asked: string | undefined): Promise<string> {
  const { channel, name, namespace } = session.resolve(asked);
  const { identity } = session;
  await services.authorizer.authorize({
    verb: 'presence',
    identity,
    channel: name,
    namespace,
    subscribed: isSubscribed(session, channel),
  });
  return channel;
}
