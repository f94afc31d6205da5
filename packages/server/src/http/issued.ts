import type { StartedSession } from '../actions/start-session.ts';
import type { IssuedTokens } from '../actions/issue-tokens.ts';
import type { LiveSession } from '../domain/session.ts';
import { sessionBody, userBody } from './respond.ts';

/** `/v1`'s answer to a login or a refresh. A cookie's value is not in it: it travels in Set-Cookie alone. */
export function issuedBody({ session, tokens }: StartedSession): Record<string, unknown> {
  return { session: sessionBody(session), user: userBody(session.user), ...tokenFields(tokens) };
}

function tokenFields(tokens: IssuedTokens): Record<string, unknown> {
  return {
    ...(tokens.access
      ? { access_token: tokens.access.text, token_type: 'Bearer', expires_in: tokens.access.expiresInSeconds }
      : {}),
    ...(tokens.refresh === undefined ? {} : { refresh_token: tokens.refresh }),
    ...(tokens.session === undefined ? {} : { session_token: tokens.session }),
  };
}

/** The access and refresh tokens that contracts 001 and 003 always give. */
export function bearerTokens(tokens: IssuedTokens): {
  access_token: string;
  refresh_token: string;
  token_type: 'Bearer';
  expires_in: number;
} {
  if (!tokens.access || tokens.refresh === undefined)
    throw new Error('a bearer session was issued without its tokens');
  return {
    access_token: tokens.access.text,
    refresh_token: tokens.refresh,
    token_type: 'Bearer',
    expires_in: tokens.access.expiresInSeconds,
  };
}

/** The secret of a session token, where the grant has one. */
export function required(secret: string | undefined, session: LiveSession): string {
  if (secret === undefined) throw new Error(`session ${session.sid} was issued without its credential`);
  return secret;
}
