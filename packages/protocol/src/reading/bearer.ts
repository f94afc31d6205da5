/**
 * Returns the text after `Bearer` in an Authorization header, or null. One space or more in between, the scheme in any case (RFC
 * 9110 sections 11.1 and 11.4), no space in the text, and no tab at all.
 * @example
 * import { bearerText } from '@curfew/protocol/reading/bearer';
 *
 * const token = bearerText('Bearer eyJhbGciOiJFZERTQSJ9.e30.c2ln');
 */
export function bearerText(authorization: string): string | null {
  return /^bearer +([^ \t]+)$/i.exec(authorization)?.[1] ?? null;
}
