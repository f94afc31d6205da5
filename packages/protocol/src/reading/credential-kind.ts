/** The kind of a credential by its shape alone. The prefix serves readers, log filters and leak scanners. */
type CredentialKind = 'jwt' | 'access' | 'session' | 'cookie' | 'refresh';

/** 32 random bytes in base64url: 43 characters, the last of which can be one of 16. */
const OPAQUE = /^(?:(sess_|cs_|rt_)|[1-9]\d{0,15}\|)[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/**
 * Returns the kind of a credential in its canonical spelling, or null. access-token.ts looks closer at a JWT.
 * @example
 * import { credentialKind } from '@curfew/protocol/reading/credential-kind';
 *
 * export const isRefreshToken = (text: string): boolean => credentialKind(text) === 'refresh';
 */
export function credentialKind(text: string): CredentialKind | null {
  if (text.startsWith('eyJ')) return 'jwt';
  const match = OPAQUE.exec(text);
  if (!match) return null;
  switch (match[1]) {
    case 'sess_':
      return 'session';
    case 'cs_':
      return 'cookie';
    case 'rt_':
      return 'refresh';
    default:
      return 'access';
  }
}
