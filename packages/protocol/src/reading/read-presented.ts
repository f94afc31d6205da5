import { bearerText } from './bearer.ts';
import { soleCookie } from './cookie.ts';

/**
 * The credential that a request presents. `credential` is null for a text that is none, and for two cookies of the name. If the
 * header is present, the cookie is ignored.
 */
export type PresentedCredential<Credential> =
  | { via: 'none' }
  | { via: 'header'; credential: Credential | null; text: string }
  | { via: 'cookie'; credential: Credential | null };

/** What a text is, where it stands: a cookie's value in a header would bypass the protection of cookies, so it is none there. */
interface CredentialParsers<Credential> {
  header(text: string): Credential | null;
  cookie(text: string): Credential | null;
}

/**
 * Reads the credential of a request.
 * @param cookieName null where no cookie is accepted
 * @example
 * import { readPresented } from '@curfew/protocol/reading/read-presented';
 *
 * const asItIs = (text: string): string => text;
 * const from = readPresented('Bearer abc', null, 'curfew_session', { header: asItIs, cookie: asItIs });
 */
export function readPresented<Credential>(
  authorization: string | null | undefined,
  cookies: string | null | undefined,
  cookieName: string | null,
  parsers: CredentialParsers<Credential>,
): PresentedCredential<Credential> {
  if (authorization !== null && authorization !== undefined) {
    const text = bearerText(authorization);
    return { via: 'header', credential: text === null ? null : parsers.header(text), text: text ?? '' };
  }
  const cookie = cookieName === null ? undefined : soleCookie(cookies, cookieName);
  if (cookie === undefined) return { via: 'none' };
  return { via: 'cookie', credential: cookie === null ? null : parsers.cookie(cookie) };
}
