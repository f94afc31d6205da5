import { bearerText } from '@curfew/protocol/reading/bearer';
import { soleCookie } from '@curfew/protocol/reading/cookie';
import { credentialKind } from '@curfew/protocol/reading/credential-kind';

/** What a request brought to say who it is. `text` is null where it is none that could be ours, or not clearly one. */
type Presented = { via: 'none' } | { via: 'header' | 'cookie'; text: string | null };

/**
 * Reads a request's credential, as the authority does: a request with an Authorization header is judged by the header alone;
 * of two headers, or two cookies of the name, neither is picked.
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
    // A cookie's value in a header would go round what protects cookies from other sites' pages.
    return { via: 'header', text: text !== null && credentialKind(text) === 'cookie' ? null : text };
  }
  const cookie = cookieName === null ? undefined : soleCookie(cookies, cookieName);
  if (cookie === undefined) return { via: 'none' };
  return { via: 'cookie', text: cookie !== null && credentialKind(cookie) === 'cookie' ? cookie : null };
}
