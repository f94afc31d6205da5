import { BlockList, isIP } from 'node:net';
import { canonicalAddress } from '../domain/ip-address.ts';

/** What a request says about its route, besides the peer that sent it. */
interface ForwardedHeaders {
  xForwardedFor: string | null;
  /** RFC 7239. Used where there is no X-Forwarded-For: a proxy that writes one of the two passes the other on unchanged. */
  forwarded: string | null;
}

/**
 * Returns the client's address. Headers count only from trusted proxies, and are read from the right: each trusted proxy vouches
 * for the one entry that it appended.
 */
export function createAddressReader(
  trustedProxies: readonly string[],
): (peer: string | undefined, headers: ForwardedHeaders) => string | null {
  const trusted = new BlockList();
  for (const item of trustedProxies) {
    const [text = '', bits] = item.split('/');
    const address = canonicalAddress(text) ?? text;
    if (bits === undefined) trusted.addAddress(address, familyOf(address));
    // An IPv4 network in IPv6 has 96 bits before the IPv4 ones.
    else
      trusted.addSubnet(
        address,
        Math.max(0, Number(bits) - (isIP(text) === isIP(address) ? 0 : 96)),
        familyOf(address),
      );
  }
  const isTrusted = (address: string): boolean =>
    trustedProxies.length > 0 && trusted.check(address, familyOf(address));

  return (peer, { xForwardedFor, forwarded }) => {
    let address = canonicalAddress(peer ?? '');
    if (address === null || !isTrusted(address)) return address;
    const hops = splitOutsideQuotes(xForwardedFor ?? forwarded ?? '', ',');
    while (isTrusted(address)) {
      const next = readHop(hops.pop() ?? '');
      if (next === null) break;
      address = next;
    }
    return address;
  };
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** One entry: a node, or the parameters of a hop with the node in `for`. */
function readHop(hop: string): string | null {
  if (!hop.includes('=')) return readNode(hop);
  const pair = splitOutsideQuotes(hop, ';').find((one) => /^\s*for\s*=/i.test(one));
  return pair === undefined ? null : readNode(pair.slice(pair.indexOf('=') + 1));
}

/**
 * A node of RFC 7239 section 6 without its port: `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`, quoted or not, and IPv6
 * without brackets, as in X-Forwarded-For. Null for `unknown` and for an obfuscated name (`_hidden`).
 */
function readNode(text: string): string | null {
  const node = text
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .replaceAll(/\\(.)/g, '$1')
    .trim();
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::(?:\d{1,5}|_[\w.-]+))?$/.exec(node) ?? [];
  if (bracketed !== undefined) return bracketed.includes(':') ? canonicalAddress(bracketed) : null;
  return canonicalAddress(plain ?? node);
}

/** An empty piece counts as an unknown entry. A quote that is never closed quotes nothing. */
function splitOutsideQuotes(text: string, separator: ',' | ';'): string[] {
  if (!text.includes('"')) return text.split(separator);
  const pieces: string[] = [];
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === separator) {
      pieces.push(text.slice(from, i));
      from = i + 1;
    } else if (text[i] === '"') {
      let end = i + 1;
      while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
      // No later quote is closed either: the rest is literal.
      if (end >= text.length) return [...pieces, ...text.slice(from).split(separator)];
      i = end;
    }
  }
  return [...pieces, text.slice(from)];
}
