import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { momentMs, setScene } from './testing/scene.ts';
import { TokenSource } from './token-source.ts';
import { TuttiError } from './tutti-error.ts';

const timeoutMs = 1_000;

/** A source whose fetches are answered by the test, oldest first. */
function scripted(token?: string): { source: TokenSource; clock: VirtualClock; give: ((token: string) => void)[] } {
  const clock = new VirtualClock();
  const give: ((token: string) => void)[] = [];
  const getter = (): Promise<string> => new Promise((resolve) => give.push(resolve));
  return { source: new TokenSource(clock, timeoutMs, token, getter), clock, give };
}

test('CON-5: a token that comes late is kept, unless a newer fetch has begun', async () => {
  const { source, clock, give } = scripted();
  const first = source.get();
  source.abandon();
  const second = source.get();
  await clock.advanceAsync(0);
  give[1]?.('new');
  assert.equal(await second, 'new');
  assert.equal(clock.timers, 0, 'no deadline is left');
  give[0]?.('old');
  await first;
  assert.equal(source.current, 'new');

  source.expire();
  const third = source.get();
  source.abandon();
  await clock.advanceAsync(0);
  give[2]?.('late, but the newest');
  await third;
  assert.deepEqual([source.current, source.mustFetch], ['late, but the newest', false]);
});

test('an abandoned fetch has no deadline any more, one that is waited for has', async () => {
  const { source, clock } = scripted();
  const abandoned: string[] = [];
  source.get().then(
    () => abandoned.push('resolved'),
    () => abandoned.push('rejected'),
  );
  source.abandon();
  assert.equal(clock.timers, 0);
  const awaited = assert.rejects(source.get(), { code: 8, temporary: true, message: /in time/ });
  await clock.advanceAsync(timeoutMs + 1);
  await awaited;
  assert.deepEqual(abandoned, []);
});

test('forgotten: the token at hand and one on its way; kept where nothing could replace it', async () => {
  const { source, clock, give } = scripted('given');
  assert.equal(await source.get(), 'given');
  source.forget();
  assert.equal(source.mustFetch, true);
  const fetched = source.get();
  await clock.advanceAsync(0);
  source.forget();
  give[0]?.('of the old user');
  await fetched;
  assert.equal(source.current, undefined);

  const fixed = new TokenSource(new VirtualClock(), timeoutMs, 'only', undefined);
  fixed.forget();
  fixed.expire();
  assert.deepEqual([fixed.current, fixed.mustFetch, fixed.canRenew], ['only', false, false]);
});

test('a getter that gives nothing means no access; one that throws is tried again, unless it says better', async () => {
  const source = (getter: () => string): TokenSource =>
    new TokenSource(new VirtualClock(), timeoutMs, undefined, getter);
  await assert.rejects(source(() => '').get(), { code: 8, temporary: false });
  const thrown = (error: Error) => () => {
    throw error;
  };
  await assert.rejects(source(thrown(new Error('503'))).get(), { code: 8, temporary: true, message: /503/ });
  await assert.rejects(source(thrown(new TuttiError(101, 'out'))).get(), { code: 101, temporary: false });
});

test('another user may be next: after disconnect(), or an end by the server, no old token is sent', async () => {
  let user = 'ann';
  const scene = setScene({ token: 'first of ann', getToken: () => user });
  const room = scene.tutti.subscribe('room', { token: 'room of ann', getToken: (channel) => `${channel} of ${user}` });
  const sent = (): unknown[] =>
    scene.server.socket.commands.map(({ connect, subscribe }) => (connect ?? subscribe)?.token);
  await scene.pass(momentMs);
  assert.deepEqual(sent(), ['first of ann', 'room of ann']);
  // Not for a cut: the user is the same, and the token still good.
  scene.server.socket.end(1006);
  await scene.pass(600);
  assert.deepEqual(sent(), ['first of ann', 'room of ann']);

  scene.tutti.disconnect();
  user = 'bob';
  scene.tutti.connect();
  await scene.pass(momentMs);
  assert.deepEqual(sent(), ['bob', 'room of bob']);

  scene.server.socket.end(3503, 'force disconnect');
  assert.equal(scene.tutti.state, 'disconnected');
  user = 'eve';
  scene.tutti.connect();
  await scene.pass(momentMs);
  assert.deepEqual(sent(), ['eve', 'room of eve']);

  // A subscription that the application holds on to while nobody follows it.
  room.unsubscribe();
  scene.tutti.disconnect();
  user = 'ann';
  scene.tutti.connect();
  room.subscribe();
  await scene.pass(momentMs);
  assert.deepEqual(sent(), ['ann', 'room of ann']);

  scene.server.socket.reply({ push: { channel: 'room', unsubscribe: { code: 2000, reason: 'by the server' } } });
  assert.equal(room.state, 'unsubscribed');
  user = 'bob';
  room.subscribe();
  await scene.pass(momentMs);
  assert.equal(sent().at(-1), 'room of bob');
  scene.tutti.close();
});

test('a new token that is larger than the server takes ends the client with a clear error', async () => {
  const scene = setScene({ token: 't', getToken: () => 'x'.repeat(2_000) }, (script) => {
    script.answers.connect = () => ({ connect: { client: 'c', expires: true, ttl: 60, frame_bytes_max: 1_024 } });
  });
  await scene.pass(60_000);
  assert.deepEqual([scene.tutti.state, scene.errors.map(({ code }) => code)], ['disconnected', [11]]);
  assert.equal(scene.clock.timers, 0);
  scene.tutti.close();
});
