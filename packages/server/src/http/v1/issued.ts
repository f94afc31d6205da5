import { z } from '@hono/zod-openapi';
import type { StartedSession } from '../../actions/start-session.ts';
import { csrfToken } from '../../domain/credentials.ts';
import * as shape from '../contract/shapes.ts';
import { sessionBody, userBody } from '../respond.ts';

/** A new session, as `/v1` answers it. */
export const issued = z
  .object({
    session: shape.session,
    user: shape.user,
    access_token: z.string().optional(),
    refresh_token: z.string().optional(),
    session_token: z.string().optional(),
    token_type: z.literal('Bearer').optional(),
    expires_in: z.number().int().optional().describe('The lifetime of the access token in seconds.'),
    csrf_token: z.string().optional().describe('With transport "cookie": the token to send in X-CSRF-Token.'),
  })
  .openapi('Issued');
export const ISSUED_EXAMPLE = {
  session: shape.SESSION_EXAMPLE,
  user: shape.USER,
  access_token: shape.JWT_EXAMPLE,
  refresh_token: 'rt_…',
  token_type: 'Bearer',
  expires_in: 300,
};

/** The answer to a login or a refresh. It never holds a cookie's value, which is only in Set-Cookie. */
export function issuedBody({ session, tokens }: StartedSession): Record<string, unknown> {
  const { access, refresh: refreshToken, session: sessionToken } = tokens;
  return {
    session: sessionBody(session),
    user: userBody(session.user),
    ...(access
      ? { access_token: access.text, token_type: 'Bearer', expires_in: access.expiresInSeconds }
      : {}),
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(sessionToken === undefined ? {} : { session_token: sessionToken }),
  };
}

/** The answer with the CSRF token, where the session is in a cookie. */
export function startedBody(started: StartedSession): Record<string, unknown> {
  const { cookie } = started.tokens;
  return { ...issuedBody(started), ...(cookie === undefined ? {} : { csrf_token: csrfToken(cookie) }) };
}
