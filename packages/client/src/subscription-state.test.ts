import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reply } from '@tutti/protocol';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import type { CommandBody, OnReply } from './calls.ts';
import { settingsFrom } from './options.ts';
import { Outbox } from './outbox.ts';
import { Requests } from './requests.ts';
import { Subscription, type SubscriptionInlet } from './subscription.ts';
import { subscriptionTable, type SubscriptionEvent, type SubscriptionState } from './subscription-state.ts';
import { FakeServer } from './testing/fake-server.ts';

interface Stage {
  clock: VirtualClock;
  room: Subscription;
  inlet: SubscriptionInlet;
  sent: CommandBody[];
  held: Set<string>;
  /** Answers the newest subscribe command, also when it is too late. */
  answer(reply: Reply<unknown>): void;
}

/** A subscription with a client of cardboard around it: each event can be caused in each state. */
function setStage(): Stage {
  const clock = new VirtualClock();
  const random = new SeededRandom(3);
  const settings = settingsFrom({ clock, random, WebSocket: new FakeServer(clock).WebSocket });
  const sent: CommandBody[] = [];
  const held = new Set<string>();
  let onReply: OnReply = () => {};
  let inlet: SubscriptionInlet | undefined;
  const outbox = new Outbox(clock, { isConnected: true, call: () => 0, forget: () => {} }, 10, 10);
  const room = new Subscription(
    'news',
    {},
    {
      settings,
      requests: new Requests(outbox, 1_000, 'key'),
      isOpen: true,
      call(body, answered) {
        sent.push(body);
        if (body.subscribe !== undefined) onReply = answered;
        return sent.length;
      },
      lost: () => {},
      flush: () => {},
      claim(channel, given) {
        held.add(channel);
        inlet = given;
      },
      release: (channel) => void held.delete(channel),
    },
  );
  room.on('error', () => {});
  room.subscribe();
  return { clock, room, inlet: inlet as SubscriptionInlet, sent, held, answer: (reply) => onReply(reply) };
}

const accepted: Reply<unknown> = { subscribe: { recoverable: true, positioned: true, epoch: 'e', offset: 4 } };

const reach: Record<SubscriptionState, (stage: Stage) => void> = {
  unsubscribed: ({ room }) => room.unsubscribe(),
  subscribing: () => {},
  subscribed: ({ answer }) => answer(accepted),
};

const cause: Record<SubscriptionEvent, (stage: Stage) => void> = {
  subscribe: ({ room }) => void room.subscribe(),
  unsubscribe: ({ room }) => room.unsubscribe(),
  linkUp: ({ inlet }) => inlet.linkUp(),
  linkDown: ({ inlet }) => inlet.linkDown(),
  accepted: ({ answer }) => answer(accepted),
  refused: ({ answer }) => answer({ error: { code: 103, message: 'permission denied' } }),
  failed: ({ answer }) => answer({ error: { code: 111, message: 'too many requests', temporary: true } }),
  ended: ({ inlet }) => inlet.pushed({ unsubscribe: { code: 2000, reason: 'server unsubscribe' } }),
  interrupted: ({ inlet }) => inlet.pushed({ unsubscribe: { code: 2500, reason: 'insufficient state' } }),
  retry: ({ clock }) => clock.advance(501),
};

for (const state of Object.keys(subscriptionTable) as SubscriptionState[]) {
  for (const event of Object.keys(subscriptionTable[state]) as SubscriptionEvent[]) {
    // While subscribed, `refused` comes of a refresh only: its own test is in subscription.test.ts.
    if (state === 'subscribed' && event === 'refused') continue;
    const { to, act } = subscriptionTable[state][event];
    test(`subscription: ${state} × ${event} → ${to}`, () => {
      const stage = setStage();
      reach[state](stage);
      assert.equal(stage.room.state, state);
      const before = stage.sent.length;
      cause[event](stage);
      assert.equal(stage.room.state, to);
      assert.equal(stage.held.has('news'), to !== 'unsubscribed', 'the client knows wanted subscriptions only');
      const verbs = stage.sent.slice(before).flatMap((body) => Object.keys(body));
      // In `subscribing` a command is under way here already: a second one must not follow it.
      const wantsRequest = act === 'request' && state !== 'subscribing';
      assert.deepEqual(verbs, wantsRequest ? ['subscribe'] : act === 'leave' ? ['unsubscribe'] : []);
      stage.room.unsubscribe();
      assert.equal(stage.clock.timers, 0, 'no timer is left');
    });
  }
}

test('subscription: interrupted, then retry → one subscribe that recovers', () => {
  const stage = setStage();
  reach.subscribed(stage);
  cause.interrupted(stage);
  cause.retry(stage);
  const requests = stage.sent.filter((body) => body.subscribe !== undefined);
  assert.equal(requests.length, 2);
  assert.deepEqual(requests[1]?.subscribe, {
    channel: 'news',
    positioned: true,
    recoverable: true,
    join_leave: true,
    recover: true,
    offset: 4,
    epoch: 'e',
  });
});
