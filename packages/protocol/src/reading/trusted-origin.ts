/**
 * Whether a request with a cookie that changes something comes from a trusted page (OWASP CSRF Cheat Sheet, "Fetch Metadata" with
 * its mandatory fallback). Pages cannot forge these headers; a request with neither is refused.
 * @example
 * import { isTrustedOrigin } from '@curfew/protocol/reading/trusted-origin';
 *
 * const headers = { secFetchSite: 'cross-site', origin: 'https://shop.example' };
 * const isTrusted = isTrustedOrigin(headers, new Set(['https://shop.example'])); // true
 */
export function isTrustedOrigin(
  headers: { secFetchSite: string | null | undefined; origin: string | null | undefined },
  trustedOrigins: ReadonlySet<string>,
): boolean {
  // A page of a listed origin may be cross-site, so the list comes first.
  const { origin, secFetchSite } = headers;
  if (origin != null && trustedOrigins.has(origin)) return true;
  if (secFetchSite === 'same-origin') return true;
  // "none" is the user: a typed address or a bookmark. No page can cause it.
  return secFetchSite === 'none' && origin == null;
}
