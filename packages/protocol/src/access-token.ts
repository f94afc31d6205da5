/**
 * When a text is an access token of ours (RFC 9068). The authority and the verifiers judge by this one page; what computes
 * the signature is passed in, so that nothing here depends on a platform.
 */
import { ACCESS_TOKEN_TYP, type AccessTokenClaims, type SigningAlgorithm } from './claims.ts';

/** Far above what we issue (some 400 bytes), far below what costs anything to look at. */
const MAX_LENGTH = 4096;
const SHAPE = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** What the database can compare with a session's id at all. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const TEXTS = ['iss', 'aud', 'sub', 'sid', 'client_id', 'device_id', 'jti'] as const;
const NUMBERS = ['born', 'iat', 'exp'] as const;

/** The order of P-256, and half of it: of the twins (r, s) and (r, n - s) only the lower one is canonical. */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The key id of a token in its one canonical spelling, or null: other characters, unused bits, other members. */
export function canonicalKeyId(text: string): string | null {
  if (text.length > MAX_LENGTH) return null;
  const parts = SHAPE.exec(text);
  if (!parts) return null;
  // Base64url has unused bits: of several spellings of the same bytes only ours is accepted (RFC 8725bis section 3.14).
  for (const part of parts.slice(1)) if (!isCanonical(part)) return null;
  const header = parse(parts[1] ?? '');
  if (header === null) return null;
  const { typ, kid, alg, ...rest } = header;
  if (typ !== ACCESS_TOKEN_TYP || typeof kid !== 'string' || typeof alg !== 'string') return null;
  // We put nothing else in: a jwk, jku, x5c or crit was made by somebody else (ASVS 9.1.3).
  return Object.keys(rest).length === 0 ? kid : null;
}

/** What the signature is computed by: `jwtVerify` of jose, which throws what has such a `code`. */
type JwtVerify<Key> = (text: string, key: Key, checks: JwtChecks) => Promise<{ payload: unknown }>;

export interface JwtChecks {
  algorithms: string[];
  typ: string;
  issuer: string;
  audience: string[];
  currentDate: Date;
  requiredClaims: string[];
}

export type Judged =
  | { ok: true; claims: AccessTokenClaims }
  /** `signature`: not signed by this key. `claims`: signed, but for or by somebody else, or not an access token. */
  | { ok: false; wrong: 'signature' | 'claims' | 'expired' };

/**
 * Judges a token whose canonical key id is this key's. The algorithm is the key's; the header is only checked against it.
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
    // Whatever it was, the answer is no; the code only says which no.
    const { code } = error as { code?: unknown };
    if (code === 'ERR_JWT_EXPIRED') return { ok: false, wrong: 'expired' };
    return { ok: false, wrong: code === 'ERR_JWT_CLAIM_VALIDATION_FAILED' ? 'claims' : 'signature' };
  }
}

/**
 * What a token says of itself, when it has the shape of ours, or null. Nobody has looked at its signature: good for refusing
 * it, never for accepting it.
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
    ['string', 'undefined'].includes(typeof claims['epoch']) &&
    UUID.test(String(claims['sid']))
  );
}

/** The token with the lower one of its two ES256 signatures. Sign with it, and compare with it. */
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
/** By character code, the six bits that a character stands for. */
const BITS = Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));

/** Whether the text, of base64url characters, is the one spelling of its bytes. */
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

/** The object that a part of a token spells in UTF-8, or null. */
function parse(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(utf8(bytesOf(part)));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    // No UTF-8, or no JSON: not ours.
    return null;
  }
}

/** @throws URIError when it is no UTF-8 */
function utf8(bytes: readonly number[]): string {
  if (bytes.every((byte) => byte < 128)) return String.fromCharCode(...bytes);
  return decodeURIComponent(bytes.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
}
