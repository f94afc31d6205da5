import { createHmac, hash } from 'node:crypto';

/** The shapes of our opaque credentials. The prefix tells a reader, a log filter and a leak scanner what it is. */
export type TokenKind = 'access' | 'session' | 'cookie' | 'refresh';

const PREFIX = { session: 'sess_', cookie: 'cs_', refresh: 'rt_' } as const;
/** 32 bytes, of which at least 16 random ones (ASVS 7.2.3), in base64url: 43 characters, the last one of 16 possible. */
const SECRET = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const SECRET_BYTES = 32;

/** What a request presented, after a look at its shape alone. */
export type Credential =
  | { kind: 'jwt'; text: string }
  | { kind: 'session' | 'cookie' | 'refresh'; text: string; hash: Buffer }
  | { kind: 'access'; text: string; hash: Buffer; id: number };

/** SHA-256 of a secret: all that is stored of it. A random secret of 128 bits needs no slow hash (ASVS 6.5.2). */
export function hashSecret(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** A new secret in the shape of its kind. An access token's text needs the row's id: see `accessText`. */
export function newSecret(kind: TokenKind, randomBytes: (length: number) => Buffer): string {
  if (kind === 'refresh') return firstOf(randomBytes(FAMILY_BYTES));
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

/*
 * A refresh token's 32 bytes: its generation, what is new in it, a check of both, and its family, which it shares with all of
 * its session. The first of a family follows from the family alone, so whoever shows any of them names the first one's row: it
 * outlives those of the others (docs/decisions/0040). The family comes last, since texts are shown cut off at the end.
 */
const GENERATION_BYTES = 3;
const NEW_BYTES = 11;
const HEAD_BYTES = GENERATION_BYTES + NEW_BYTES;
const CHECK_BYTES = 2;
const FAMILY_BYTES = 16;
const LAST_GENERATION = 2 ** (8 * GENERATION_BYTES) - 1;

/** Where a refresh token stands in its session's line. */
export interface Lineage {
  /** How many came before it. */
  generation: number;
  /** SHA-256 of the session's first refresh token. */
  firstHash(): Buffer;
}

/** Null for a token that names no family: an earlier version made it, or it is made up. */
export function lineageOf(text: string): Lineage | null {
  const parts = partsOf(text);
  return parts && { generation: parts.generation, firstHash: () => hashSecret(firstOf(parts.family)) };
}

function partsOf(text: string): { generation: number; family: Buffer } | null {
  const bytes = Buffer.from(text.slice(PREFIX.refresh.length), 'base64url');
  const head = bytes.subarray(0, HEAD_BYTES);
  const family = bytes.subarray(-FAMILY_BYTES);
  if (!bytes.subarray(HEAD_BYTES, -FAMILY_BYTES).equals(ofFamily(family, head, CHECK_BYTES))) return null;
  const generation = head.readUIntBE(0, GENERATION_BYTES);
  // The last generation has no next: what follows it is as an earlier version made it, and keeps its row.
  return generation === LAST_GENERATION ? null : { generation, family };
}

const firstOf = (family: Buffer): string => refreshText(0, ofFamily(family, 'first', NEW_BYTES), family);

function refreshText(generation: number, news: Buffer, family: Buffer): string {
  const bytes = Buffer.alloc(SECRET_BYTES);
  bytes.writeUIntBE(generation, 0, GENERATION_BYTES);
  bytes.set(news, GENERATION_BYTES);
  bytes.set(ofFamily(family, bytes.subarray(0, HEAD_BYTES), CHECK_BYTES), HEAD_BYTES);
  bytes.set(family, SECRET_BYTES - FAMILY_BYTES);
  return PREFIX.refresh + bytes.toString('base64url');
}

function ofFamily(family: Buffer, what: string | Buffer, length: number): Buffer {
  const whole = Buffer.concat([Buffer.from('curfew refresh family'), family, Buffer.from(what)]);
  return hash('sha256', whole, 'buffer').subarray(0, length);
}

/** A nonce of another length was stored by an earlier version, whose successors name no family. */
export const NONCE_BYTES = 24;

/**
 * The successor of a spent refresh token. It follows from the spent token's own secret and a nonce in its row, so
 * within the grace any process can give the same successor again, and nobody can without the spent token: neither
 * a copy of the database nor the token alone is enough.
 */
export function successorSecret(spent: string, nonce: Buffer, use: 'refresh' | 'access' | 'jti'): string {
  const secret = createHmac('sha256', spent).update(`curfew ${use} successor`).update(nonce).digest();
  if (use !== 'refresh') return secret.toString('base64url');
  const parts = nonce.length === NONCE_BYTES ? partsOf(spent) : null;
  return parts
    ? refreshText(parts.generation + 1, secret.subarray(0, NEW_BYTES), parts.family)
    : PREFIX.refresh + secret.toString('base64url');
}

/**
 * The CSRF token of a cookie session: bound to the cookie's secret (OWASP CSRF Cheat Sheet, HMAC token), new at each
 * login because the cookie is, and stored nowhere.
 */
export function csrfToken(cookieText: string): string {
  return createHmac('sha256', cookieText).update('curfew csrf').digest('base64url');
}
