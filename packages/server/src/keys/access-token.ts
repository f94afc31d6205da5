import { ACCESS_TOKEN_TYP, type AccessTokenClaims } from '@curfew/protocol/claims';
import { base64url, type CryptoKey, jwtVerify, SignJWT } from 'jose';
import type { SigningAlgorithm } from '@curfew/protocol/claims';

/** Far above what we issue (some 400 bytes), far below what costs anything to look at. */
const MAX_LENGTH = 4096;
const SHAPE = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** What the database can compare with a session's id at all. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The order of P-256, and half of it: of the twins (r, s) and (r, n - s) only the lower one is canonical. */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Signs claims as an access token (RFC 9068). */
export async function signAccessToken(
  claims: AccessTokenClaims,
  key: { kid: string; alg: SigningAlgorithm; privateKey: CryptoKey },
): Promise<string> {
  const text = await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: key.alg, typ: ACCESS_TOKEN_TYP, kid: key.kid })
    .sign(key.privateKey);
  return key.alg === 'ES256' ? lowS(text) : text;
}

/** The key id of a token in its one canonical spelling, or null: other characters, unused bits, other members. */
export function canonicalKeyId(text: string): string | null {
  if (text.length > MAX_LENGTH) return null;
  const parts = SHAPE.exec(text);
  if (!parts) return null;
  // Base64url has unused bits: of several spellings of the same bytes only ours is accepted (RFC 8725bis section 3.14).
  // Buffer reads any text, also one of a length that no bytes have, where a strict decoder throws.
  for (const part of parts.slice(1))
    if (Buffer.from(part, 'base64url').toString('base64url') !== part) return null;
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString());
  } catch {
    return null;
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) return null;
  const { typ, kid, alg, ...rest } = header as Record<string, unknown>;
  if (typ !== ACCESS_TOKEN_TYP || typeof kid !== 'string' || typeof alg !== 'string') return null;
  // We put nothing else in: a jwk, jku, x5c or crit was made by somebody else (ASVS 9.1.3).
  return Object.keys(rest).length === 0 ? kid : null;
}

/**
 * The claims of a token that we signed and that has not run out, or null. The algorithm is the key's; the header is
 * only checked against it.
 */
export async function verifyAccessToken(
  text: string,
  key: { alg: SigningAlgorithm; publicKey: CryptoKey },
  expected: { issuer: string; audiences: string[]; now: Date },
): Promise<AccessTokenClaims | null> {
  if (key.alg === 'ES256' && lowS(text) !== text) return null;
  try {
    const { payload } = await jwtVerify(text, key.publicKey, {
      algorithms: [key.alg],
      typ: ACCESS_TOKEN_TYP,
      issuer: expected.issuer,
      audience: expected.audiences,
      currentDate: expected.now,
      requiredClaims: ['sub', 'sid', 'client_id', 'born', 'iat', 'exp', 'jti'],
    });
    return isClaims(payload) ? payload : null;
  } catch {
    return null;
  }
}

function isClaims(payload: unknown): payload is AccessTokenClaims {
  const claims = payload as Record<string, unknown>;
  return (
    ['iss', 'aud', 'sub', 'sid', 'client_id', 'jti'].every((name) => typeof claims[name] === 'string') &&
    ['born', 'iat', 'exp'].every((name) => Number.isSafeInteger(claims[name])) &&
    UUID.test(String(claims['sid']))
  );
}

function lowS(text: string): string {
  const dot = text.lastIndexOf('.');
  const signature = base64url.decode(text.slice(dot + 1));
  if (signature.length !== 64) return text;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`);
  if (s <= P256_ORDER / 2n) return text;
  const low = Buffer.from((P256_ORDER - s).toString(16).padStart(64, '0'), 'hex');
  return `${text.slice(0, dot)}.${base64url.encode(Buffer.concat([signature.subarray(0, 32), low]))}`;
}
