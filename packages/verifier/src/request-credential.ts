import { bearerText } from '@curfew/protocol/reading/bearer';
import { soleCookie } from '@curfew/protocol/reading/cookie';
import { credentialKind } from '@curfew/protocol/reading/credential-kind';

/** The credential of a request. `text` is null where it is not a credential of Curfew, or not a single one. */
type Presented = { via: 'none' } | { via: 'header' | 'cookie'; text: string | null };

/**
 * Reads a request's credential as the authority does: if `Authorization` is present, cookies are ignored; two `Authorization`
 * headers, or two cookies of the name, are rejected.
 * @param cookieName null where no cookie is accepted
 */
export function readPresented(
  authorization: readonly string[],
  cookies: string | null | undefined,
  cookieName: string | null,
): Presented {
  const [first] = authorization;
  if (first !== undefined) {
    const text = authorization.length === 1 ? bearerText(first) : null;
    // The value of a cookie in a header would bypass the protection of cookies against other sites' pages.
    return { via: 'header', text: text !== null && credentialKind(text) === 'cookie' ? null : text };
  }
  const cookie = cookieName === null ? undefined : soleCookie(cookies, cookieName);
  if (cookie === undefined) return { via: 'none' };
  return { via: 'cookie', text: cookie !== null && credentialKind(cookie) === 'cookie' ? cookie : null };
}
