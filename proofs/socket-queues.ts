import { readFileSync } from 'node:fs';

/** Bytes that the kernel of this machine holds of one connection between two of its ports. */
export interface SocketQueues {
  /** Written by the sender, and not yet acknowledged by the other kernel. */
  readonly sending: number;
  /** In the other kernel, and not read. */
  readonly received: number;
}

/** What went from the sender's port to the receiver's, as /proc/net/tcp lists it. */
export function socketQueues(senderPort: number, receiverPort: number): SocketQueues {
  let sending = 0;
  let received = 0;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, local = '', remote = '', , queues = ''] = line.trim().split(/\s+/);
    const [tx = '0', rx = '0'] = queues.split(':');
    if (portOf(local) === senderPort && portOf(remote) === receiverPort) sending = Number.parseInt(tx, 16);
    if (portOf(local) === receiverPort && portOf(remote) === senderPort) received = Number.parseInt(rx, 16);
  }
  return { sending, received };
}

/** Addresses are written as hexadecimal ADDRESS:PORT. */
function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), 16);
}
