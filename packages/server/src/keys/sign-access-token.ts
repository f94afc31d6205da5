import { claimsNotYetVerified, type Judged, judgeAccessToken, lowS } from '@curfew/protocol/access-token';
import { ACCESS_TOKEN_TYP, type AccessTokenClaims, type SigningAlgorithm } from '@curfew/protocol/claims';
import { type CryptoKey, jwtVerify, SignJWT } from 'jose';

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

/** Verifies a token by one of this authority's keys. The audience is for the caller to compare, with that of the token's client. */
export function verifyAccessToken(
  text: string,
  key: { alg: SigningAlgorithm; publicKey: CryptoKey },
  expected: { issuer: string; now: Date },
): Promise<Judged> {
  const audiences = [claimsNotYetVerified(text)?.aud ?? ''];
  return judgeAccessToken(text, key, { ...expected, audiences }, jwtVerify);
}
