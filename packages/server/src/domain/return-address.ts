/** Longer than any of Curfew's pages with its parameters. */
const LONGEST = 2048;
/** Pages that a login does not return to, after the authority's own path. */
const NEVER = /^\/(login|logout)([/?#]|$)/i;

/**
 * Returns where to go after a login: a path on this origin, or null for anything else. An address that a browser would take for
 * another origin is refused in every spelling (CVE-2021-29456, CVE-2019-14857: `//`, `/\`, tabs). The answer is the URL parser's
 * own text, so nothing parses it differently later.
 */
export function returnAddress(
  given: string | null | undefined,
  origin: string,
  publicPath = '',
): string | null {
  if (given === null || given === undefined || given.length > LONGEST) return null;
  // Browsers drop tabs and line breaks, and take a backslash for a slash, before they look.
  // eslint-disable-next-line no-control-regex
  if (!given.startsWith('/') || /[\u0000-\u001f\u007f-\u009f\\]/.test(given) || given.startsWith('//'))
    return null;
  if (!URL.canParse(given, origin)) return null;
  const url = new URL(given, origin);
  if (url.origin !== new URL(origin).origin || url.username !== '' || url.password !== '') return null;
  const address = url.pathname + url.search + url.hash;
  // `/.//evil.example` becomes a path that begins with two slashes, which browsers take for another host.
  if (address.startsWith('//')) return null;
  if (address.startsWith(publicPath) && NEVER.test(address.slice(publicPath.length))) return null;
  return address;
}
