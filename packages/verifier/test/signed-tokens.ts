/** Access tokens with any claims, well signed. */
import { randomUUID } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export const ISSUER = 'https://auth.example';
export const AUDIENCE = 'https://api.example';

/** A signing key of an authority that only the test knows. */
export interface Key {
  jwk: JWK & Record<string, unknown>;
  privateKey: CryptoKey;
}
export const makeKey = async (kid: string): Promise<Key> => {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  return { jwk: { ...(await exportJWK(publicKey)), kid, alg: 'EdDSA' }, privateKey };
};
export const nowSeconds = (): number => Math.floor(Date.now() / 1000);
/** An access token as the authority signs it, with other claims where the test says so. */
export const makeToken = (key: Key, more: object = {}): Promise<string> =>
  new SignJWT({
    iss: ISSUER,
    aud: AUDIENCE,
    sub: '2',
    sid: randomUUID(),
    client_id: 'default',
    device_id: 'd',
    born: 1,
    role: 'user',
    iat: nowSeconds(),
    exp: nowSeconds() + 300,
    jti: randomUUID(),
    ...more,
  })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: key.jwk.kid as string })
    .sign(key.privateKey);
