import type { Config } from '../config.ts';

/** The session cookie's header (RFC 6265bis). It has no Max-Age: the server ends sessions, not the browser's clock. */
export function setCookie(cookie: Config['cookie'], value: string): string {
  return `${cookie.name}=${value}; ${attributes(cookie, cookie.domain, '/')}`;
}

/** Deletions, with the attributes it was set with, from every domain and path that it may have been set for. */
export function clearCookies(cookie: Config['cookie']): string[] {
  const clear = (name: string, domain: string | null, path: string): string =>
    `${name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; ${attributes(cookie, domain, path)}`;
  return [
    clear(cookie.name, cookie.domain, '/'),
    // __Host- is bound to no domain and the path /, so elsewhere the cookie had another name.
    ...cookie.alsoClear.flatMap(({ domain, path }) =>
      cookie.earlierNames.map((name) => clear(name, domain, path)),
    ),
  ];
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
