import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** A list longer than any chain of real proxies is not read to its end. */
const hopsMax = 32;

/**
 * Whose connection a request is: the peer of the socket, or, where that is a proxy the operator
 * trusts, the nearest address in X-Forwarded-For that is none (S21). A header from anybody else is
 * not believed.
 */
export class RemoteAddresses {
  readonly #trusted = new BlockList();
  readonly #hasTrusted: boolean;

  /** Addresses, or networks such as `10.0.0.0/8`. Throws a RangeError for anything else. */
  constructor(trustedProxies: readonly string[]) {
    this.#hasTrusted = trustedProxies.length > 0;
    for (const entry of trustedProxies) this.#trust(entry);
  }

  of(request: IncomingMessage): string {
    const peer = plainAddress(request.socket.remoteAddress ?? '');
    if (!this.#hasTrusted || !this.#isTrusted(peer)) return peer;
    const forwarded = request.headers['x-forwarded-for'];
    const hops = (Array.isArray(forwarded) ? forwarded.join(',') : (forwarded ?? '')).split(',').slice(-hopsMax);
    let nearest = peer;
    // From the end: each proxy appends whom it saw, and only what trusted ones appended is true.
    for (const hop of hops.reverse()) {
      const address = plainAddress(hop.trim());
      if (isIP(address) === 0) return nearest;
      nearest = address;
      if (!this.#isTrusted(address)) return address;
    }
    return nearest;
  }

  #trust(entry: string): void {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? undefined : /^[0-9]{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (family === 0 || (bits !== undefined && (bits < 0 || bits > (family === 4 ? 32 : 128)))) {
      throw new RangeError(`trusted proxy "${entry}" is neither an address nor a network like 10.0.0.0/8`);
    }
    const type = family === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) this.#trusted.addAddress(address, type);
    else this.#trusted.addSubnet(address, bits, type);
  }

  #isTrusted(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#trusted.check(address, family === 4 ? 'ipv4' : 'ipv6');
  }
}

/**
 * Whom a limit by address counts: an IPv4 address, or the network of an IPv6 one (its first 64 bits), because
 * one customer is given that many addresses at the least (RFC 6177, RFC 7421).
 */
export function limitedBy(address: string): string {
  if (isIP(address) !== 6) return address;
  const [plain = ''] = address.split('%');
  const [head = '', tail] = plain.split('::');
  const groups = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(':'));
  const known = groups(head);
  // A dotted end is two groups.
  const last = groups(tail).flatMap((group) => (group.includes('.') ? ['', ''] : [group]));
  const zeros = tail === undefined ? 0 : 8 - known.length - last.length;
  const all = [...known, ...Array.from({ length: zeros }, () => '0'), ...last];
  const network = all.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}

/** An IPv4 address that came over an IPv6 socket, in its usual form, so that it is counted as one. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}
