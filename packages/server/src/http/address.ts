import { BlockList, isIP } from 'node:net';

/**
 * The client's address. X-Forwarded-For is believed only from the trusted proxies, and read from the right: each
 * trusted proxy vouches for the one entry that it appended.
 */
export function createAddressReader(
  trustedProxies: readonly string[],
): (peer: string | undefined, forwardedFor: string | null) => string | null {
  const trusted = new BlockList();
  for (const item of trustedProxies) {
    const [address = '', bits] = item.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  const isTrusted = (address: string): boolean =>
    trustedProxies.length > 0 && trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

  return (peer, forwardedFor) => {
    let address = plain(peer ?? '');
    if (isIP(address) === 0) return null;
    const hops = (forwardedFor ?? '').split(',').map((hop) => plain(hop.trim()));
    while (isTrusted(address)) {
      const next = hops.pop();
      if (next === undefined || isIP(next) === 0) break;
      address = next;
    }
    return address;
  };
}

/** An IPv4 address that an IPv6 socket shows as ::ffff:192.0.2.1. */
function plain(address: string): string {
  const lower = address.toLowerCase();
  return lower.startsWith('::ffff:') && isIP(lower.slice(7)) === 4 ? lower.slice(7) : address;
}
