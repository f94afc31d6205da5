import { createHmac, hash } from 'node:crypto';

/** The shapes of our opaque credentials. The prefix tells a reader, a log filter and a leak scanner what it is. */
export type TokenKind = 'access' | 'session' | 'cookie' | 'refresh';

const PREFIX = { session: 'sess_', cookie: 'cs_', refresh: 'rt_' } as const;
/** 32 random bytes (256 bits; ASVS 7.2.3 asks for 128) in base64url: 43 characters, the last one of 16 possible. */
const SECRET = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const SECRET_BYTES = 32;

/** What a request presented, after a look at its shape alone. */
export type Credential =
  | { kind: 'jwt'; text: string }
  | { kind: 'session' | 'cookie' | 'refresh'; text: string; hash: Buffer }
  | { kind: 'access'; text: string; hash: Buffer; id: number };

/** SHA-256 of a secret: all that is stored of it. A 256-bit secret needs no slow hash (ASVS 6.5.2). */
export function hashSecret(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** A new secret in the shape of its kind. An access token's text needs the row's id: see `accessText`. */
export function newSecret(kind: TokenKind, randomBytes: (length: number) => Buffer): string {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return kind === 'access' ? secret : PREFIX[kind] + secret;
}

/** Contract 003: `<id>|<secret>`. Only the secret is hashed; the id must be that of the row the secret finds. */
export function accessText(id: number, secret: string): string {
  return `${id}|${secret}`;
}

/** The credential in an Authorization header's value after `Bearer `, or null for a text that is none of ours. */
export function parseBearer(text: string): Credential | null {
  if (text.startsWith(PREFIX.session)) return parseOpaque('session', text);
  const bar = text.indexOf('|');
  if (bar > 0) {
    const id = text.slice(0, bar);
    const secret = text.slice(bar + 1);
    if (!/^[1-9]\d{0,15}$/.test(id) || !SECRET.test(secret)) return null;
    return { kind: 'access', text, id: Number(id), hash: hashSecret(secret) };
  }
  return text.startsWith('eyJ') ? { kind: 'jwt', text } : null;
}

/** A token of a known kind, or null when its spelling is not the one we issue. */
export function parseOpaque(kind: 'session' | 'cookie' | 'refresh', text: string): Credential | null {
  const prefix = PREFIX[kind];
  if (!text.startsWith(prefix) || !SECRET.test(text.slice(prefix.length))) return null;
  return { kind, text, hash: hashSecret(text) };
}

/**
 * The successor of a spent refresh token. It follows from the spent token's own secret and a nonce in its row, so
 * within the grace any process can give the same successor again, and nobody can without the spent token: neither
 * a copy of the database nor the token alone is enough.
 */
export function successorSecret(spent: string, nonce: Buffer, use: 'refresh' | 'access' | 'jti'): string {
  const secret = createHmac('sha256', spent)
    .update(`curfew ${use} successor`)
    .update(nonce)
    .digest('base64url');
  return use === 'refresh' ? PREFIX.refresh + secret : secret;
}

/**
 * The CSRF token of a cookie session: bound to the cookie's secret (OWASP CSRF Cheat Sheet, HMAC token), new at each
 * login because the cookie is, and stored nowhere.
 */
export function csrfToken(cookieText: string): string {
  return createHmac('sha256', cookieText).update('curfew csrf').digest('base64url');
}
