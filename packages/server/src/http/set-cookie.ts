import type { Config } from '../config.ts';

/** The session cookie's header (RFC 6265bis). It has no Max-Age: the server ends sessions, not the browser's clock. */
export function setCookie(cookie: Config['cookie'], value: string): string {
  return `${cookie.name}=${value}; ${attributes(cookie, cookie.domain, '/')}`;
}

/** Deletions, with the cookie's attributes, for every domain and path that it may have been set for. */
export function clearCookies(cookie: Config['cookie']): string[] {
  return [deletion(cookie, cookie.name, cookie.domain, '/'), ...clearElsewhere(cookie)];
}

/**
 * Deletions for the places of earlier setups. A login sends them too: a leftover cookie of the same name would be sent as a
 * second one, and two are refused.
 */
export function clearElsewhere(cookie: Config['cookie']): string[] {
  return cookie.alsoClear.flatMap(({ domain, path }) =>
    earlierNames(cookie, domain, path)
      .filter((name) => name !== cookie.name || domain !== cookie.domain || path !== '/')
      .map((name) => deletion(cookie, name, domain, path)),
  );
}

/** __Host- requires no domain and the path /: only there can the cookie have had that name. */
function earlierNames(cookie: Config['cookie'], domain: string | null, path: string): readonly string[] {
  const [plain = ''] = cookie.earlierNames.slice(-1);
  const possible = cookie.secure && domain === null && path === '/';
  return possible ? [`__Host-${plain}`, ...cookie.earlierNames] : cookie.earlierNames;
}

function deletion(cookie: Config['cookie'], name: string, domain: string | null, path: string): string {
  return `${name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; ${attributes(cookie, domain, path)}`;
}

function attributes(cookie: Config['cookie'], domain: string | null, path: string): string {
  return [
    domain === null ? null : `Domain=${domain}`,
    `Path=${path}`,
    'HttpOnly',
    cookie.secure ? 'Secure' : null,
    'SameSite=Lax',
  ]
    .filter((part) => part !== null)
    .join('; ');
}
