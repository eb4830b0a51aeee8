import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionTable, type ConnectionEvent, type ConnectionState } from './connection-state.ts';
import { momentMs, setScene, type Scene } from './testing/scene.ts';

/** Brings a client into each state, by means of the wire and the public methods only. */
const reach: Record<ConnectionState, (scene: Scene) => Promise<void>> = {
  disconnected: async ({ tutti, pass }) => {
    await pass(momentMs);
    tutti.disconnect();
  },
  connecting: async ({ server, pass }) => {
    server.answers.connect = () => undefined;
    await pass(momentMs);
  },
  waiting: async ({ server, pass }) => {
    await pass(momentMs);
    server.socket.end(3001);
  },
  connected: ({ pass }) => pass(momentMs),
  closed: async ({ tutti, pass }) => {
    await pass(momentMs);
    tutti.close();
  },
};

/** Makes each event happen; in states where it cannot, as late as a broken peer could. */
const cause: Record<ConnectionEvent, (scene: Scene) => Promise<void> | void> = {
  connect: ({ tutti }) => {
    if (tutti.state === 'closed') assert.throws(() => tutti.connect(), { code: 3 });
    else tutti.connect();
  },
  accepted: ({ server }) => server.socket.reply({ id: 1, connect: { client: 'late' } }),
  lost: ({ server }) => server.socket.end(3001),
  refused: async ({ server, tutti, pass, clock }) => {
    if (tutti.state !== 'waiting') {
      server.socket.end(3500);
      return;
    }
    // Between attempts only the next attempt can be refused.
    server.answers.connect = () => ({ error: { code: 101, message: 'unauthorized' } });
    await pass((clock.nextTimerMs ?? 0) - clock.monotonic() + momentMs);
  },
  retry: ({ pass }) => pass(501),
  online: ({ network }) => network('online'),
  offline: ({ network }) => network('offline'),
  disconnect: ({ tutti }) => tutti.disconnect(),
  close: ({ tutti }) => tutti.close(),
};

for (const state of Object.keys(connectionTable) as ConnectionState[]) {
  for (const event of Object.keys(connectionTable[state]) as ConnectionEvent[]) {
    const { to } = connectionTable[state][event];
    test(`connection: ${state} × ${event} → ${to}`, async () => {
      // Neither answered nor opened where the table says `connecting`, so that it can be seen.
      const scene = setScene();
      await reach[state](scene);
      assert.equal(scene.tutti.state, state);
      if (to === 'connecting') scene.server.mode = 'silent';
      await cause[event](scene);
      assert.equal(scene.tutti.state, to);
      scene.tutti.close();
      await scene.pass(momentMs);
      assert.equal(scene.clock.timers, 0, 'no timer is left after close()');
      assert.equal(scene.isWatching(), false);
    });
  }
}
