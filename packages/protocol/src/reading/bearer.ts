/**
 * The text after `Bearer` in an Authorization header, or null: one space or more between them, the scheme in any case
 * (RFC 9110, sections 11.1 and 11.4), and none in the text. Never a tab.
 */
export function bearerText(authorization: string): string | null {
  return /^bearer +([^ \t]+)$/i.exec(authorization)?.[1] ?? null;
}
