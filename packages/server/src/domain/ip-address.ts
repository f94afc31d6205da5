const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/**
 * Returns an address in its canonical spelling, without a zone, or null. IPv4 in IPv6 (`::ffff:192.0.2.1`, also
 * `::ffff:c000:201`) becomes IPv4: it is the same peer, seen through another socket.
 */
export function canonicalAddress(text: string): string | null {
  const [address = ''] = text.split('%', 1);
  if (IPV4.test(address)) return address;
  const bracketed = `http://[${address}]`;
  if (!/^[0-9a-f:.]+$/i.test(address) || !URL.canParse(bracketed)) return null;
  // The URL standard writes IPv6 addresses as RFC 5952 does.
  const short = new URL(bracketed).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (!mapped) return short;
  const [high = 0, low = 0] = mapped.slice(1).map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The source that limits count by: the address, for IPv6 its /64, which one subscriber has as a whole; empty when unknown. */
export function sourceOf(ipAddress: string | null): string {
  const address = ipAddress === null ? null : canonicalAddress(ipAddress);
  if (address === null || !address.includes(':')) return address ?? '';
  // This spelling has no trailing IPv4 part: only the left of "::", zeros, and its right.
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}
