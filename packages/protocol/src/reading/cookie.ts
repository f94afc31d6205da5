/**
 * Returns the value of a cookie; undefined without one. Null for several of the name, because an attacker may have planted one
 * (cookie tossing).
 * @example
 * import { soleCookie } from '@curfew/protocol/reading/cookie';
 *
 * const value = soleCookie('theme=dark; curfew_session=cs_…', 'curfew_session'); // 'cs_…'
 */
export function soleCookie(cookies: string | null | undefined, name: string): string | null | undefined {
  if (!cookies?.includes(name)) return undefined;
  const prefix = `${name}=`;
  const values = cookies
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(prefix));
  return values.length > 1 ? null : values[0]?.slice(prefix.length);
}
