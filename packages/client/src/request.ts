import { isBrowser } from './authority.ts';

/** A request that posts JSON. */
export const posted = (body: unknown, more: RequestInit): RequestInit => ({
  ...more,
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

/** Beside the cookie, with what changes something. */
export const CSRF = 'x-csrf-token';

export const WITH_COOKIES: RequestInit = { credentials: 'include' };

/** Servers have no cookies, and some refuse to be asked about them. */
export const noCookies = (): RequestInit => (isBrowser() ? { credentials: 'omit' } : {});

/** With one header more, if there is something to put in it. */
export function carrying(request: Request, header: string, value: string | undefined): Request {
  if (value) request.headers.set(header, value);
  return request;
}
