import type { ClientInfo } from '@tutti/protocol';

/**
 * What a set of members comes to, whatever order they came in: equal sets have equal digests, and two that
 * differ have equal ones once in 2^64. Not a signature: it finds mistakes, not lies.
 */
export class Digest {
  #high = 0;
  #low = 0;

  /** Adds a member that is not in it, or takes out one that is. */
  toggle(channel: string, { client, user, conn_info: connInfo, chan_info: chanInfo }: ClientInfo): void {
    const hash = new Hash();
    for (const text of [channel, client, user]) hash.text(text);
    hash.bytes(connInfo);
    hash.bytes(chanInfo);
    this.#high ^= hash.high;
    this.#low ^= hash.low;
  }

  get text(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0');
  }
}

/** Two FNV-1a of 32 bits side by side, with different starts and a last mixing: fast in plain numbers. */
class Hash {
  #a = 0x811c9dc5;
  #b = 0x2f0b4c47;

  get high(): number {
    return mixed(this.#a);
  }

  get low(): number {
    return mixed(this.#b ^ (this.#a >>> 7));
  }

  text(text: string): void {
    for (let i = 0; i < text.length; i += 1) this.#take(text.charCodeAt(i));
    this.#take(0x1_0000);
  }

  bytes(bytes: Uint8Array | undefined): void {
    this.#take(bytes === undefined ? 0x1_0001 : 0x1_0002);
    for (const byte of bytes ?? []) this.#take(byte);
  }

  #take(unit: number): void {
    this.#a = Math.imul(this.#a ^ unit, 0x01000193);
    this.#b = Math.imul(this.#b ^ (unit + 0x9e37), 0x85ebca6b);
    this.#b ^= this.#b >>> 13;
  }
}

function mixed(value: number): number {
  let hash = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return hash ^ (hash >>> 16);
}
