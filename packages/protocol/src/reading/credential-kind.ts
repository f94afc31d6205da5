/** What a text can be a credential of, by its shape alone. The prefix tells a reader, a log filter and a leak scanner. */
type CredentialKind = 'jwt' | 'access' | 'session' | 'cookie' | 'refresh';

/** 32 random bytes in base64url: 43 characters, the last one of 16 possible. */
const OPAQUE = /^(?:(sess_|cs_|rt_)|[1-9]\d{0,15}\|)[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** The kind of a credential in the spelling that we issue, or null. A JWT is looked at more closely in access-token.ts. */
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
