import type { IssuedTokens } from '../../actions/issue-tokens.ts';
import type { LiveSession } from '../../domain/session.ts';

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
