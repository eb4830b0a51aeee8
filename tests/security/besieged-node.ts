import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  connectClient,
  HostileWebSocket,
  opcodes,
  spawnNode,
  type ConnectedClient,
  type EventLog,
  type SpawnedNode,
} from '@tutti/testkit';
import type { SubscriptionEvents } from '@tutti/client';

/** A node as a process of its own, and somebody in it who must notice nothing. */
export interface BesiegedNode {
  readonly node: SpawnedNode;
  readonly onlooker: ConnectedClient;
  /** The same process still runs, met nothing impossible, and the onlooker's next message comes back, on the old connection. */
  undisturbed(): Promise<void>;
  /** A hostile user who is signed in: the next answer to each text is its reply, or the close. */
  signedIn(): Promise<HostileWebSocket>;
}

export const besieged = {
  // Soon enough for a test, long enough for a slow machine.
  connectTimeoutMs: 2_000,
  connectionsPerAddressMax: 1_000,
  // A busy machine must not pass for a node that resists: it would answer 503 to everybody.
  loopLagMaxMs: 0,
  memoryHighWater: 0,
  connectRateMax: 0,
  apiKeys: [{ name: 'test', key: 'an-api-key-of-this-test-long-enough-for-all', allow: ['*'] }],
} as const;

export async function besiege(t: TestContext): Promise<BesiegedNode> {
  const namespaces = { chat: { historySize: 10, presence: true }, live: {} };
  const node = await spawnNode({ settings: besieged, namespaces });
  t.after(() => node.close());
  const onlooker = await connectClient(node, { user: 'onlooker' });
  t.after(() => onlooker.close());
  const { pid } = node;
  const { subscription, events } = await onlooker.follow<number>('live:quiet');
  let sent = 0;
  return {
    node,
    onlooker,
    undisturbed: async () => {
      sent += 1;
      await subscription.publish(sent);
      assert.equal((await nextOf(events)).data, sent);
      assert.equal(onlooker.events.all('connected').length, 1, 'it was never cut');
      assert.deepEqual([node.isRunning, node.pid], [true, pid]);
      const page = await (await fetch(`${node.url}/metrics`)).text();
      assert.match(page, /^tutti_bugs_total 0$/m);
    },
    signedIn: async () => {
      const socket = await HostileWebSocket.open(node.port);
      socket.send({
        opcode: opcodes.text,
        payload: JSON.stringify({ id: 1, connect: { token: await node.token({ user: 'mallory' }) } }),
      });
      assert.match((await answerOf(socket)) ?? '', /"connect"/);
      return socket;
    },
  };
}

function nextOf(events: EventLog<SubscriptionEvents<number>>): Promise<{ data: number }> {
  return events.next('publication');
}

/** The text of the next reply, or `closed CODE`; undefined where the connection just ended. */
export async function answerOf(socket: HostileWebSocket): Promise<string | undefined> {
  for (let frame = await socket.next(); frame !== undefined; frame = await socket.next()) {
    if (frame.opcode === opcodes.text) return frame.payload.toString();
    if (frame.opcode === opcodes.close) return `closed ${frame.payload.readUInt16BE(0)}`;
  }
  return undefined;
}
