import { bearerText } from '@curfew/protocol/reading/bearer';
import { soleCookie } from '@curfew/protocol/reading/cookie';
import { type Credential, parseBearer, parseOpaque } from './credentials.ts';

/** The credential of a request. */
export type Presented =
  | { via: 'none' }
  /** `credential` is null for a text that is not a credential of Curfew. If the header is present, the cookie is ignored. */
  | { via: 'header'; credential: Credential | null; text: string }
  | { via: 'cookie'; credential: Credential | null };

export function readCredential(
  authorization: string | null | undefined,
  cookieHeader: string | null | undefined,
  cookieName: string,
): Presented {
  if (authorization !== null && authorization !== undefined) {
    const text = bearerText(authorization);
    return { via: 'header', credential: text === null ? null : parseBearer(text), text: text ?? '' };
  }
  const cookie = soleCookie(cookieHeader, cookieName);
  if (cookie === undefined) return { via: 'none' };
  return { via: 'cookie', credential: cookie === null ? null : parseOpaque('cookie', cookie) };
}
