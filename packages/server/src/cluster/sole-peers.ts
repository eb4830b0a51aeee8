import type { Peer, Peers, Survey } from './peers.ts';

/** A node without a cluster: nobody to tell, nobody to ask. */
export class SolePeers implements Peers {
  readonly self: Peer;
  readonly others: readonly Peer[] = [];

  constructor(name: string, incarnation: string) {
    this.self = { name, incarnation };
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  watch(): void {}

  hear(): void {}

  tell(): void {}

  tellOne(): void {}

  beat(): void {}

  answer(): void {}

  survey<Answer>(): Promise<Survey<Answer>> {
    return Promise.resolve({ answers: [], silent: [] });
  }
}
