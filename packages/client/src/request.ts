import { isBrowser } from './addresses.ts';

/** A POST with a JSON body. */
export const posted = (body: unknown, more: RequestInit): RequestInit => ({
  ...more,
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

/** For requests with the cookie that change something. */
export const CSRF = 'x-csrf-token';

export const WITH_COOKIES: RequestInit = { credentials: 'include' };

/** Servers have no cookies, and some reject the option. */
export const noCookies = (): RequestInit => (isBrowser() ? { credentials: 'omit' } : {});

/** Returns the request with one more header, if there is a value. */
export function carrying(request: Request, header: string, value: string | undefined): Request {
  if (value) request.headers.set(header, value);
  return request;
}
