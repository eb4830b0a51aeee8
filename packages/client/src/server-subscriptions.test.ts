import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Push, SubscribeResult } from '@tutti/protocol';
import { ServerSubscriptions } from './server-subscriptions.ts';

interface Stage {
  subscriptions: ServerSubscriptions;
  told: unknown[][];
  /** Called at each event that is told, as a listener of the application would be. */
  listen: (name: string, channel: string) => void;
}

function setStage(): Stage {
  const told: unknown[][] = [];
  const stage: Stage = {
    told,
    listen: () => {},
    subscriptions: new ServerSubscriptions({
      tell(name, event) {
        const what =
          'code' in event ? event.code : 'info' in event ? event.info : 'recovered' in event && event.recovered;
        told.push([name, event.channel, name === 'publication' && 'offset' in event ? event.offset : what]);
        stage.listen(name, event.channel);
      },
      lost: (reason) => told.push(['lost', reason]),
    }),
  };
  return stage;
}

const at = (offset: number, more: Partial<SubscribeResult<unknown>> = {}): SubscribeResult<unknown> => ({
  recoverable: true,
  positioned: true,
  epoch: 'e',
  offset,
  ...more,
});
const pub = (offset: number): Push<unknown> => ({ pub: { data: offset, offset } });

test('CON-4: only channels that can be recovered are asked for, from where they are', () => {
  const { subscriptions } = setStage();
  assert.equal(subscriptions.requests(), undefined);
  subscriptions.connected({ a: at(5), b: at(6, { recoverable: false }), c: {} });
  subscriptions.pushed('a', pub(6));
  subscriptions.linkDown();
  assert.deepEqual(subscriptions.requests(), { a: { recover: true, offset: 6, epoch: 'e' } });
});

test('DEL-2: a channel that only has positions is watched for holes, too', () => {
  const { subscriptions, told } = setStage();
  subscriptions.connected({ b: at(6, { recoverable: false }) });
  subscriptions.pushed('b', pub(6));
  subscriptions.pushed('b', pub(8));
  assert.deepEqual(told, [
    ['subscribed', 'b', false],
    ['lost', 'a publication before offset 8 of b is missing'],
  ]);
});

test('DEL-2: where the server vouches for it, offsets of what is recovered may jump', () => {
  const { subscriptions, told } = setStage();
  subscriptions.connected({ a: at(5) });
  subscriptions.linkDown();
  const publications = [6, 9].map((offset) => ({ data: offset, offset }));
  // The top comes along; what was missed is still to be shown.
  subscriptions.connected({ a: at(9, { recovered: true, publications }) });
  subscriptions.pushed('a', pub(10));
  assert.deepEqual(told.slice(1), [
    ['subscribed', 'a', true],
    ['publication', 'a', 6],
    ['publication', 'a', 9],
    ['publication', 'a', 10],
  ]);
});

test('a listener that ends the connection makes the rest of its news void, at every step', () => {
  const publications = [
    { data: 1, offset: 6 },
    { data: 2, offset: 7 },
  ];
  const endAt = (step: string, second: SubscribeResult<unknown>): unknown[] => {
    const stage = setStage();
    stage.subscriptions.connected({ a: at(5), b: at(5) });
    stage.subscriptions.linkDown();
    stage.told.length = 0;
    stage.listen = (name) => {
      if (name === step) stage.subscriptions.linkDown();
    };
    stage.subscriptions.connected({ a: second, b: at(5, { recovered: true }) });
    return stage.told.map(([name, channel]) => `${String(name)} ${String(channel)}`);
  };
  const recovered = at(5, { recovered: true, publications });
  assert.deepEqual(endAt('subscribed', recovered), ['subscribed a']);
  assert.deepEqual(endAt('publication', recovered), ['subscribed a', 'publication a']);
  assert.deepEqual(endAt('subscribed', at(9)), ['subscribed a']);
  assert.deepEqual(endAt('gap', at(9, { publications })), ['subscribed a', 'gap a']);
  assert.deepEqual(endAt('never', at(9)), ['subscribed a', 'gap a', 'subscribed b']);
});

test('a channel that is no longer given ends, and so do all when the client is closed', () => {
  const { subscriptions, told } = setStage();
  subscriptions.connected({ a: at(5), b: at(5), c: at(5) });
  subscriptions.connected({ b: at(5, { recovered: true }), c: at(5, { recovered: true }) });
  subscriptions.pushed('b', { unsubscribe: { code: 2000, reason: 'by the server' } });
  subscriptions.pushed('b', pub(6));
  subscriptions.clear(2, 'closed');
  subscriptions.clear(2, 'closed');
  assert.deepEqual(
    told.filter(([name]) => name === 'unsubscribed' || name === 'publication'),
    [
      ['unsubscribed', 'a', 2000],
      ['unsubscribed', 'b', 2000],
      ['unsubscribed', 'c', 2],
    ],
  );
});

test('a subscription by push begins anew, and members come and go in it', () => {
  const { subscriptions, told } = setStage();
  const [ann, bob] = ['ann', 'bob'].map((user) => ({ user, client: user }));
  assert.ok(ann !== undefined && bob !== undefined);
  subscriptions.pushed('a', { join: { info: ann } });
  subscriptions.pushed('a', { subscribe: at(3) });
  subscriptions.pushed('a', { join: { info: ann } });
  subscriptions.pushed('a', { leave: { info: bob } });
  subscriptions.pushed('a', pub(4));
  assert.deepEqual(told, [
    ['subscribed', 'a', false],
    ['join', 'a', ann],
    ['leave', 'a', bob],
    ['publication', 'a', 4],
  ]);
  assert.deepEqual(subscriptions.requests(), { a: { recover: true, offset: 4, epoch: 'e' } });
});
