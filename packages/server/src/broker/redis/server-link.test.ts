import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import type { Driver } from './driver.ts';
import { RedisFault } from './redis-fault.ts';
import { ServerLink } from './server-link.ts';

/** A connection of the driver that says what a master says, and nothing else. */
class SilentConnection extends EventEmitter {
  static made: SilentConnection[] = [];

  constructor() {
    super();
    SilentConnection.made.push(this);
  }

  async connect(): Promise<void> {}

  async info(): Promise<string> {
    return 'redis_version:7.2.0\r\nrole:master\r\nmaster_replid:abc\r\naof_enabled:1\r\n';
  }

  async config(): Promise<string[]> {
    return [];
  }

  async call(): Promise<string> {
    return 'OK';
  }

  disconnect(): void {}
}

test('what a connection still hands over after its end goes nowhere', async () => {
  const heard: string[] = [];
  const link = await ServerLink.open({
    driver: { Redis: SilentConnection } as unknown as Driver,
    server: { host: '127.0.0.1', port: 1 },
    credentials: { username: '', password: '', db: 0, tls: false },
    sharded: false,
    clock: new VirtualClock(),
    events: {
      message: (channel, message) => heard.push(`${channel} ${Buffer.from(message).toString()}`),
      unsubscribed: () => {},
      ended: () => heard.push('ended'),
      moved: () => {},
    },
  });
  const [connection] = SilentConnection.made;
  connection?.emit('messageBuffer', Buffer.from('room'), Buffer.from('1'));
  link.end(new RedisFault('redis: broken'));
  connection?.emit('messageBuffer', Buffer.from('room'), Buffer.from('2'));
  assert.deepEqual(heard, ['room 1', 'ended']);
});
