/**
 * Judges access tokens (RFC 9068), for the authority and the verifiers alike. The function that verifies a signature is passed
 * in, so that nothing here depends on a platform.
 */
import {
  ACCESS_TOKEN_TYP,
  type AccessTokenClaims,
  type LoginClaim,
  type SigningAlgorithm,
} from './claims.ts';
import type { LoginFacts, SessionFacts } from './cuts.ts';

/** Far above the 400 bytes or so of an issued token, and still cheap to parse. */
const MAX_LENGTH = 4096;
const SHAPE = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** Anything else would make PostgreSQL fail when it compares it with a session's id. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const TEXTS = ['iss', 'aud', 'sub', 'sid', 'client_id', 'device_id', 'jti'] as const;
const NUMBERS = ['iat', 'exp'] as const;
const OPTIONAL = ['epoch', 'tenant', 'external_id', 'external_issuer', 'role'] as const;

/** The order of P-256. Of the twin signatures (r, s) and (r, n - s) only the one with the lower s is canonical. */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * Returns the key id of an access token in its one canonical spelling, and null for any other text.
 * @example
 * import { canonicalKeyId } from '@curfew/protocol/access-token';
 *
 * export const isAccessToken = (text: string): boolean => canonicalKeyId(text) !== null;
 */
export function canonicalKeyId(text: string): string | null {
  if (text.length > MAX_LENGTH) return null;
  const parts = SHAPE.exec(text);
  if (!parts) return null;
  // Base64url has unused bits: of several spellings of the same bytes only one is accepted (RFC 8725bis section 3.14).
  for (const part of parts.slice(1)) if (!isCanonical(part)) return null;
  const header = parse(parts[1] ?? '');
  if (header === null) return null;
  const { typ, kid, alg, ...rest } = header;
  if (typ !== ACCESS_TOKEN_TYP || typeof kid !== 'string' || typeof alg !== 'string') return null;
  // The authority writes no other members: a jwk, jku, x5c or crit comes from an attacker (ASVS 9.1.3).
  return Object.keys(rest).length === 0 ? kid : null;
}

/** `jwtVerify` of jose, or a function like it: it throws errors with jose's `code`. */
type JwtVerify<Key> = (text: string, key: Key, checks: JwtChecks) => Promise<{ payload: unknown }>;

/** The options that jose's `jwtVerify` is called with. */
export interface JwtChecks {
  /** The key's algorithm alone. */
  algorithms: string[];
  /** The `typ` header that the token must have. */
  typ: string;
  /** The `iss` that the token must have. */
  issuer: string;
  /** The values of `aud`, one of which the token must have. */
  audience: string[];
  /** The instant that `exp` is compared with. */
  currentDate: Date;
  /** The claims that must be there. */
  requiredClaims: string[];
}

/**
 * The verdict on an access token. `signature`: not signed by this key. `claims`: signed, but by another issuer, for another
 * audience, or not an access token.
 */
export type Judged =
  | { ok: true; claims: AccessTokenClaims }
  | { ok: false; wrong: 'signature' | 'claims' | 'expired' };

/**
 * Verifies an access token whose canonical key id is this key's; never throws. The algorithm is the key's, and the header is
 * only compared with it.
 * @example
 * import { judgeAccessToken, type Judged } from '@curfew/protocol/access-token';
 * import { type CryptoKey, jwtVerify } from 'jose';
 *
 * export function judge(token: string, publicKey: CryptoKey): Promise<Judged> {
 *   const expected = { issuer: 'https://auth.example', audiences: ['https://api.example'], now: new Date() };
 *   return judgeAccessToken(token, { alg: 'EdDSA', publicKey }, expected, jwtVerify);
 * }
 */
export async function judgeAccessToken<Key>(
  text: string,
  key: { alg: SigningAlgorithm; publicKey: Key },
  expected: { issuer: string; audiences: readonly string[]; now: Date },
  jwtVerify: JwtVerify<Key>,
): Promise<Judged> {
  if (key.alg === 'ES256' && lowS(text) !== text) return { ok: false, wrong: 'signature' };
  try {
    const { payload } = await jwtVerify(text, key.publicKey, {
      algorithms: [key.alg],
      typ: ACCESS_TOKEN_TYP,
      issuer: expected.issuer,
      audience: [...expected.audiences],
      currentDate: expected.now,
      requiredClaims: [...TEXTS, ...NUMBERS],
    });
    return isClaims(payload) ? { ok: true, claims: payload } : { ok: false, wrong: 'claims' };
  } catch (error) {
    // Every error is a refusal; the code only says which one.
    const { code } = error as { code?: unknown };
    if (code === 'ERR_JWT_EXPIRED') return { ok: false, wrong: 'expired' };
    return { ok: false, wrong: code === 'ERR_JWT_CLAIM_VALIDATION_FAILED' ? 'claims' : 'signature' };
  }
}

/**
 * Returns the claims of a token without verifying its signature, or null when they are not those of an access token. Use them
 * to refuse a token, never to accept one.
 * @example
 * import { claimsNotYetVerified } from '@curfew/protocol/access-token';
 *
 * export const isFrom = (token: string, issuer: string): boolean => claimsNotYetVerified(token)?.iss === issuer;
 */
export function claimsNotYetVerified(text: string): AccessTokenClaims | null {
  const claims = parse(text.split('.')[1] ?? '');
  return isClaims(claims) ? claims : null;
}

function isClaims(payload: unknown): payload is AccessTokenClaims {
  const claims = payload as Record<string, unknown> | null;
  return (
    claims !== null &&
    TEXTS.every((name) => typeof claims[name] === 'string') &&
    NUMBERS.every((name) => Number.isSafeInteger(claims[name])) &&
    OPTIONAL.every((name) => ['string', 'undefined'].includes(typeof claims[name])) &&
    UUID.test(String(claims['sid'])) &&
    readBeginning(claims) !== null
  );
}

/**
 * Reads when a session began, and the login that it was begun through, from claims or from an answer of introspection. Null when
 * they do not say it.
 * @example
 * import { readBeginning } from '@curfew/protocol/access-token';
 *
 * export const bornOf = (answer: Record<string, unknown>): number | null => readBeginning(answer)?.born ?? null;
 */
export function readBeginning(said: Record<string, unknown>): Pick<SessionFacts, 'born' | 'login'> | null {
  const { born, begun, login } = said;
  if (login === undefined) return isPosition(born) ? { born, login: null } : null;
  const { sid, born: loginBorn, client_id: clientId } = (login ?? {}) as Record<string, unknown>;
  const fits =
    isPosition(begun) &&
    isPosition(loginBorn) &&
    typeof sid === 'string' &&
    UUID.test(sid) &&
    typeof clientId === 'string';
  return fits ? { born: begun, login: { sid, born: loginBorn, clientId } } : null;
}

const isPosition = (value: unknown): value is number => Number.isSafeInteger(value);

/**
 * The claims, or the members of introspection, that say when a session began; see `readBeginning`.
 * @example
 * import { beginningOf } from '@curfew/protocol/access-token';
 *
 * export const claims = { sub: '7', ...beginningOf({ born: 1042, login: null }) };
 */
export function beginningOf({ born, login }: { born: number; login: LoginFacts | null }): {
  born?: number;
  begun?: number;
  login?: LoginClaim;
} {
  if (login === null) return { born };
  return { begun: born, login: { sid: login.sid, born: login.born, client_id: login.clientId } };
}

/**
 * Returns the facts of a session that its access token names.
 * @example
 * import { claimsNotYetVerified, factsOfClaims } from '@curfew/protocol/access-token';
 *
 * export function bornOf(token: string): number | null {
 *   const claims = claimsNotYetVerified(token);
 *   return claims && factsOfClaims(claims).born;
 * }
 */
export function factsOfClaims(claims: AccessTokenClaims): SessionFacts {
  const { sid, sub: subject, client_id: clientId, device_id: deviceId, tenant = null } = claims;
  const { born, login } = readBeginning({ ...claims }) as Pick<SessionFacts, 'born' | 'login'>;
  return { sid, subject, clientId, deviceId, born, login, tenant };
}

/**
 * Returns the token with the lower one of its two ES256 signatures, which is the canonical one.
 * @example
 * import { lowS } from '@curfew/protocol/access-token';
 *
 * export const isCanonical = (token: string): boolean => lowS(token) === token;
 */
export function lowS(text: string): string {
  const dot = text.lastIndexOf('.');
  const signature = bytesOf(text.slice(dot + 1));
  if (signature.length !== 64) return text;
  let s = 0n;
  for (const byte of signature.slice(32)) s = (s << 8n) | BigInt(byte);
  if (s <= P256_ORDER / 2n) return text;
  let low = P256_ORDER - s;
  for (let i = 63; i >= 32; i--) {
    signature[i] = Number(low & 255n);
    low >>= 8n;
  }
  return `${text.slice(0, dot)}.${base64url(signature)}`;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** The six bits that a character stands for, by its code. */
const BITS = Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));

/** Whether base64url characters are the canonical spelling of their bytes: unused bits must be 0. */
function isCanonical(text: string): boolean {
  const last = ALPHABET.indexOf(text.at(-1) ?? '');
  switch (text.length % 4) {
    case 0:
      return true;
    case 2:
      return (last & 15) === 0;
    case 3:
      return (last & 3) === 0;
    default:
      return false;
  }
}

function bytesOf(text: string): number[] {
  const bytes: number[] = [];
  let bits = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    bits = ((bits << 6) | (BITS[text.charCodeAt(i)] ?? 0)) & 0xfff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push((bits >> count) & 255);
    }
  }
  return bytes;
}

function base64url(bytes: readonly number[]): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.slice(i, i + 3);
    const bits = (a << 16) | (b << 8) | c;
    const characters = Math.min(bytes.length - i, 3) + 1;
    for (let j = 0; j < characters; j++) text += ALPHABET[(bits >> (18 - 6 * j)) & 63];
  }
  return text;
}

/** Decodes a part of a token; null when it is not a JSON object. */
function parse(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(utf8(bytesOf(part)));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    // Neither UTF-8 nor JSON: not an access token.
    return null;
  }
}

/** @throws URIError when the bytes are not UTF-8 */
function utf8(bytes: readonly number[]): string {
  if (bytes.every((byte) => byte < 128)) return String.fromCharCode(...bytes);
  return decodeURIComponent(bytes.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
}
