import { ClientPool } from './client-pool.ts';
import type { LoadReply, LoadRequest, Published, PublishRequest } from './messages.ts';
import { Publishing } from './publishing.ts';
import { Receiver } from './receiver.ts';

/** A process full of clients, started by `Fleet` and told what to do over its channel. Ends with it. */
const receiver = new Receiver();
let pool: ClientPool | undefined;
let publishing: Publishing | undefined;

async function act(request: LoadRequest): Promise<LoadReply> {
  switch (request.do) {
    case 'connect': {
      const started = performance.now();
      pool = new ClientPool(request.target, (connection, payload) => {
        if (publishing === undefined) receiver.receive(payload);
        else publishing.receive(connection, payload);
      });
      await pool.connect(request.count, request.firstIndex, request.atOnce);
      return { done: 'connect', ms: performance.now() - started };
    }
    case 'reset':
      receiver.reset();
      return { done: 'reset' };
    case 'expect': {
      const received = await receiver.expect(request.deliveries, request.timeoutMs);
      pool?.check();
      return { done: 'expect', received };
    }
    case 'publish':
      return { done: 'publish', published: await publish(request) };
  }
}

async function publish(request: PublishRequest): Promise<Published> {
  publishing = new Publishing(pool?.connections ?? [], request);
  try {
    return await publishing.done;
  } finally {
    publishing = undefined;
  }
}

process.on('message', (request: LoadRequest) => {
  act(request).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
