import { BlockList, isIP } from 'node:net';

type Subnet = readonly [address: string, bits: number];

/** Not the internet: RFC 6890 and its registry at IANA, multicast, and what is reserved. */
const specialV4: readonly Subnet[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  // CGNAT, RFC 6598.
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** Inside the only block of IPv6 that is routed: protocol assignments (Teredo among them), documentation, 6to4. */
const specialV6: readonly Subnet[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

/** Where machines of a cloud ask for their own credentials; no receiver of webhooks lives there. */
const neverV4: readonly Subnet[] = [
  ['169.254.0.0', 16],
  ['100.100.100.200', 32],
];
const neverV6: readonly Subnet[] = [
  ['fe80::', 10],
  ['fd00:ec2::', 32],
];

const routedV6 = listOf([], [['2000::', 3]]);
const mappedV4 = listOf([], [['::ffff:0:0', 96]]);
const special = listOf(specialV4, specialV6);
const never = listOf(neverV4, neverV6);

/**
 * Which addresses a webhook may be sent to (S26): public ones, and those of the networks that the
 * operator names. What decides is the address that is connected to, never how it was written.
 */
export class AddressGuard {
  readonly #networks: BlockList;

  /** Addresses, or networks such as `10.0.0.0/8`. Throws for anything else. */
  constructor(networks: readonly string[]) {
    this.#networks = new BlockList();
    for (const entry of networks) addTo(this.#networks, entry);
  }

  /** Why this address is refused; undefined: it may be connected to. */
  problem(address: string, isEncrypted: boolean): string | undefined {
    const [plain = ''] = address.split('%');
    const family = isIP(plain);
    if (family === 0) return 'it is no IP address';
    const type = family === 4 ? 'ipv4' : 'ipv6';
    if (never.check(plain, type)) return `${plain} is a link-local or metadata address, which is never allowed`;
    if (this.#networks.check(plain, type)) return undefined;
    if (!isPublic(plain, type)) return `${plain} is not a public address, and not in webhookNetworks`;
    return isEncrypted ? undefined : `${plain} is public, so it must be https`;
  }
}

/** An IPv4 address in IPv6 clothes is judged as the IPv4 address that it is: the block lists look through it. */
function isPublic(address: string, type: 'ipv4' | 'ipv6'): boolean {
  if (special.check(address, type)) return false;
  return type === 'ipv4' || mappedV4.check(address, type) || routedV6.check(address, type);
}

function listOf(v4: readonly Subnet[], v6: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of v4) list.addSubnet(address, bits, 'ipv4');
  for (const [address, bits] of v6) list.addSubnet(address, bits, 'ipv6');
  return list;
}

function addTo(list: BlockList, entry: string): void {
  const [address = '', bits] = entry.split('/');
  const type = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  if (bits === undefined) list.addAddress(address, type);
  else list.addSubnet(address, Number(bits), type);
}
