import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What stands before several nodes: each connection goes to one that takes it, in turns. */
export interface Balancer {
  readonly wsUrl: string;
  close(): Promise<void>;
}

export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>();
  let turn = 0;
  const server: Server = createServer((client) => {
    open.add(client);
    client.on('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    turn += 1;
    // The nodes from this turn's on, each once.
    attempt(
      client,
      ports.map((_, i) => ports[(turn + i) % ports.length] ?? 0),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    wsUrl: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/connection/websocket`,
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}

function attempt(client: Socket, [port, ...others]: readonly number[]): void {
  if (port === undefined || client.destroyed) {
    client.destroy();
    return;
  }
  const node = connect({ port, host: '127.0.0.1' });
  let isConnected = false;
  node.on('connect', () => {
    isConnected = true;
    client.pipe(node);
    node.pipe(client);
  });
  node.on('error', () => node.destroy());
  node.on('close', () => {
    if (isConnected) client.destroy();
    else attempt(client, others);
  });
  client.on('close', () => node.destroy());
}
