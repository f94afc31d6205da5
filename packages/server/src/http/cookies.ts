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
    ...cookie.alsoClear.flatMap(({ domain, path }) =>
      earlierNames(cookie, domain, path).map((name) => clear(name, domain, path)),
    ),
  ];
}

/** __Host- is bound to no domain and the path /: there the cookie may have had that name, elsewhere only the others. */
function earlierNames(cookie: Config['cookie'], domain: string | null, path: string): readonly string[] {
  const [plain = ''] = cookie.earlierNames.slice(-1);
  const host = `__Host-${plain}`;
  const possible = cookie.secure && domain === null && path === '/' && cookie.name !== host;
  return possible ? [host, ...cookie.earlierNames] : cookie.earlierNames;
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
