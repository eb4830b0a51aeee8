import { TuttiError, type MemberChange, type ReceivedPublication, type Subscription, type Tutti } from '@tutti/client';
import { rejections } from '@tutti/protocol';
import type { Command } from 'commander';

import { usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { plain, type Output } from '../output.ts';
import { addLinkFlags, withServer } from '../server-link.ts';
import { showPublication } from '../show-publication.ts';
import { stopRequested } from '../stop-requested.ts';

export function subscribeCommand(command: Command, context: Context): void {
  addLinkFlags(
    command
      .command('sub')
      .alias('subscribe')
      .description('stream the publications of channels, and who joins and leaves, until stopped')
      .argument('<channel...>', 'such as chat:general ticker:prices')
      .option('--count <n>', 'end after so many publications'),
  ).action(async (channels: string[], flags: { count?: string }) => {
    const count = flags.count === undefined ? Infinity : Number(flags.count);
    if (!(count >= 1)) throw usageError('--count must be a whole number from 1 up');
    const output = context.output();
    await withServer({ ...flags }, context, { verb: 'subscribe', channels }, (client) =>
      follow(client, channels, count, output),
    );
  });
}

/** Resolves when stopped or when `count` is reached; rejects when the server ends it for good. */
async function follow(client: Tutti, channels: readonly string[], count: number, output: Output): Promise<void> {
  const stop = stopRequested();
  let left = count;
  const ended = new Promise<void>((resolve, reject) => {
    const show = (publication: ReceivedPublication): void => {
      if (left <= 0) return;
      showPublication(publication, output);
      left -= 1;
      if (left === 0) resolve();
    };
    // Personal channels, and those that the token names: there already, and told by the client.
    const given = new Set<string>();
    client.on('publication', (publication) => {
      if (given.has(publication.channel)) show(publication);
    });
    client.on('unsubscribed', ({ channel, code, reason }) => {
      if (given.has(channel)) reject(new TuttiError(code, reason));
    });
    for (const channel of new Set(channels)) {
      const subscription = client.subscribe(channel);
      subscription.on('publication', show);
      subscription.on('unsubscribed', ({ code, reason }) => {
        if (code !== rejections.alreadySubscribed.code) {
          reject(new TuttiError(code, reason));
          return;
        }
        given.add(channel);
        if (output.json) output.result({ type: 'subscribed', channel, recovered: false }, '');
        else output.note(`the server has subscribed this connection to ${plain(channel)} by itself`);
      });
      tellRest(subscription, output);
    }
    client.on('state', ({ to, reason, code }) => {
      if (to === 'waiting') output.note(`connection lost (${reason}); connecting again`);
      if (to === 'disconnected') reject(new TuttiError(code, reason));
    });
  });
  await Promise.race([ended, stop.requested]).finally(() => stop.forget());
}

function tellRest(subscription: Subscription, output: Output): void {
  const channel = subscription.channel;
  const shown = output.paint('cyan', plain(channel));
  const tell = (type: string, sign: string) => {
    return ({ info }: MemberChange): void => {
      const { user, client } = info;
      output.result(
        { type, channel, user, client },
        `${shown} ${sign} ${output.paint('green', plain(user === '' ? 'anonymous' : user))} ${type === 'join' ? 'joined' : 'left'}`,
      );
    };
  };
  subscription.on('join', tell('join', '+'));
  subscription.on('leave', tell('leave', '-'));
  subscription.on('subscribed', ({ recovered, position }) => {
    const record = { type: 'subscribed', channel, recovered, ...(position === undefined ? {} : { position }) };
    if (output.json) output.result(record, '');
    else output.note(`subscribed to ${plain(channel)}${recovered ? ', nothing missed' : ''}`);
  });
  subscription.on('gap', ({ from, to, missed, reload }) => {
    const many = missed === undefined ? 'an unknown number of' : String(missed);
    output.result(
      { type: 'gap', channel, from, to, missed, reload },
      `${shown} ${output.paint('yellow', `${many} publications are missing here`)}`,
    );
  });
  // What ends the subscription is told by `unsubscribed`; the rest is tried again.
  subscription.on('error', ({ temporary, message }) => {
    if (temporary) output.note(`${plain(channel)}: ${plain(message)}; trying again`);
  });
}
