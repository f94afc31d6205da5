import { z } from '@hono/zod-openapi';
import { type RowAnswer, json } from '../../contract/row.ts';
import type { Call } from '../../environment.ts';
import type { Fault } from '../../respond.ts';

/* Contract 004: the session in a cookie. Its own errors carry `detail`; a login and the profile answer in contract 001's envelope. */

/** The terms of a session that is kept in a cookie. */
export const COOKIE = { contract: 'cookie', grant: 'cookie' } as const;

export const detail = z.object({ detail: z.object({ error_code: z.string(), message: z.string() }) });

export const cookieRefusal = (description: string, error_code: string, message: string): RowAnswer =>
  json(description, detail, { detail: { error_code, message } });

export const NO_SESSION = cookieRefusal(
  'No live session for the cookie.',
  'NOT_AUTHENTICATED',
  'Not authenticated',
);

export function cookieDetail(
  c: Call,
  status: 400 | 401 | 403 | 500,
  code: string,
  message: string,
): Response {
  return c.json({ detail: { error_code: code, message } }, status);
}

export const invalidScope = (c: Call): Response =>
  cookieDetail(c, 400, 'INVALID_SCOPE', 'scope must be this, all or others');

export function onCookieFault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return invalidScope(c);
  switch (fault) {
    case 'csrf_failed':
      return cookieDetail(
        c,
        403,
        'CSRF_FAILED',
        'The request must come from a trusted origin and carry X-CSRF-Token',
      );
    case 'not_authenticated':
      return cookieDetail(c, 401, 'NOT_AUTHENTICATED', 'Not authenticated');
    default:
      return cookieDetail(c, 500, 'LOGOUT_FAILED', 'Not logged out, try again');
  }
}
