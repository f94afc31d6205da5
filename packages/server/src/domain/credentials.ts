import { createHmac, hash } from 'node:crypto';

/** The shapes of opaque credentials. The prefix serves readers, log filters and leak scanners. */
export type TokenKind = 'access' | 'session' | 'cookie' | 'refresh';

const PREFIX = { session: 'sess_', cookie: 'cs_', refresh: 'rt_' } as const;
/** 32 bytes, at least 16 of them random (ASVS 7.2.3), in base64url: 43 characters, the last of which can be one of 16. */
const SECRET = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const SECRET_BYTES = 32;

/** A credential by its shape alone. */
export type Credential =
  | { kind: 'jwt'; text: string }
  | { kind: 'session' | 'cookie' | 'refresh'; text: string; hash: Buffer }
  | { kind: 'access'; text: string; hash: Buffer; id: number };

/** SHA-256 of a secret, the only form in which it is stored. A random secret of 128 bits needs no slow hash (ASVS 6.5.2). */
export function hashSecret(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** A new secret of a kind. The text of an access token also needs the row's id: see `accessText`. */
export function newSecret(kind: TokenKind, randomBytes: (length: number) => Buffer): string {
  if (kind === 'refresh') return firstOf(randomBytes(FAMILY_BYTES));
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return kind === 'access' ? secret : PREFIX[kind] + secret;
}

/** Contract 003: `<id>|<secret>`. Only the secret is hashed; the id must be that of the secret's row. */
export function accessText(id: number, secret: string): string {
  return `${id}|${secret}`;
}

/** The credential after `Bearer `, or null for a text that is not one. */
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

/** A token of a known kind, or null when its spelling is not canonical. */
export function parseOpaque(kind: 'session' | 'cookie' | 'refresh', text: string): Credential | null {
  const prefix = PREFIX[kind];
  if (!text.startsWith(prefix) || !SECRET.test(text.slice(prefix.length))) return null;
  return { kind, text, hash: hashSecret(text) };
}

/*
 * A refresh token's 32 bytes: its generation, the new part, a check of both, and its family, which all tokens of its session
 * share. The first token of a family follows from the family alone, so any of them names the first one's row, which is kept
 * longest (docs/decisions/0040). The family comes last, because displays cut texts off at the end.
 */
const GENERATION_BYTES = 3;
const NEW_BYTES = 11;
const HEAD_BYTES = GENERATION_BYTES + NEW_BYTES;
const CHECK_BYTES = 2;
const FAMILY_BYTES = 16;
const LAST_GENERATION = 2 ** (8 * GENERATION_BYTES) - 1;

/** The place of a refresh token in its session's sequence. */
export interface Lineage {
  /** The number of its predecessors. */
  generation: number;
  /** SHA-256 of the session's first refresh token. */
  firstHash(): Buffer;
}

/** Null for a token without a family: from an earlier version, or forged. */
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
  // The last generation has no next one: its successor has no family, as in earlier versions, and keeps its row.
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
  const input = Buffer.concat([Buffer.from('curfew refresh family'), family, Buffer.from(what)]);
  return hash('sha256', input, 'buffer').subarray(0, length);
}

/** An earlier version stored a nonce of another length; the successors have no family. */
export const NONCE_BYTES = 24;

/**
 * The successor of a spent refresh token. It follows from the spent token's secret and a nonce in its row: within the grace any
 * process can return the same successor, but neither a copy of the database nor the token alone is enough.
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
 * The CSRF token of a cookie session: derived from the cookie's secret (OWASP CSRF Cheat Sheet, HMAC token), so it is new at each
 * login, and stored nowhere.
 */
export function csrfToken(cookieText: string): string {
  return createHmac('sha256', cookieText).update('curfew csrf').digest('base64url');
}
