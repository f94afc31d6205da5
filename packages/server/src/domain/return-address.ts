/** Longer than any page of ours with its parameters. */
const LONGEST = 2048;
/** Pages that are no place to go to after a login. */
const NEVER = /^\/(login|logout)([/?#]|$)/i;

/**
 * Where to go after a login: a path on our own origin, or null for anything else. What a browser would take for another
 * origin is refused whatever its spelling (CVE-2021-29456, CVE-2019-14857: `//`, `/\`, tabs), and the answer is what
 * the URL parser made of it, so nobody else parses it differently afterwards.
 */
export function returnAddress(given: string | null | undefined, origin: string): string | null {
  if (given === null || given === undefined || given.length > LONGEST) return null;
  // Browsers drop tabs and line breaks, and take a backslash for a slash, before they look.
  // eslint-disable-next-line no-control-regex
  if (!given.startsWith('/') || /[\u0000-\u001f\u007f-\u009f\\]/.test(given) || given.startsWith('//'))
    return null;
  if (!URL.canParse(given, origin)) return null;
  const url = new URL(given, origin);
  if (url.origin !== new URL(origin).origin || url.username !== '' || url.password !== '') return null;
  const address = url.pathname + url.search + url.hash;
  // `/.//evil.example` becomes a path that begins with two slashes: as an address that is another host.
  if (address.startsWith('//') || NEVER.test(address)) return null;
  return address;
}
