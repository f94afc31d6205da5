const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/**
 * An address in its one spelling, without a zone, or null when it is none. IPv4 in IPv6 (`::ffff:192.0.2.1`, also
 * written `::ffff:c000:201`) is IPv4: it is the same peer, seen through another socket.
 */
export function canonicalAddress(text: string): string | null {
  const [address = ''] = text.split('%', 1);
  if (IPV4.test(address)) return address;
  const bracketed = `http://[${address}]`;
  if (!/^[0-9a-f:.]+$/i.test(address) || !URL.canParse(bracketed)) return null;
  // The URL standard writes an IPv6 address as RFC 5952 does.
  const short = new URL(bracketed).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (!mapped) return short;
  const [high = 0, low = 0] = mapped.slice(1).map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** What limits count by: the address, and of IPv6 the /64, which one subscriber has whole; empty when unknown. */
export function sourceOf(ipAddress: string | null): string {
  const address = ipAddress === null ? null : canonicalAddress(ipAddress);
  if (address === null || !address.includes(':')) return address ?? '';
  // A trailing IPv4 part is gone in this spelling: what is left of "::", zeros, what is right of it.
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}
