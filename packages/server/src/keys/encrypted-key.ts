import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/**
 * The signing keys in the database were sealed under another `CURFEW_KEY`.
 * @example
 * import { createAuthority, WrongKey } from '@curfew/server';
 *
 * await createAuthority().catch((error: unknown) => {
 *   if (error instanceof WrongKey) console.error('use the earlier CURFEW_KEY');
 *   throw error;
 * });
 */
export class WrongKey extends Error {
  override name = 'WrongKey';
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const sealingKey = (secret: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', 'curfew signing keys', 32));

/** AES-256-GCM. The key's id is authenticated, so a sealed key cannot be stored under another name. */
export function encryptKey(
  plain: Buffer,
  secret: string,
  kid: string,
  randomBytes: (length: number) => Buffer,
): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(secret), nonce).setAAD(Buffer.from(kid));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** @throws WrongKey */
export function decryptKey(sealed: Buffer, secret: string, kid: string): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(-TAG_BYTES);
  try {
    const decipher = createDecipheriv('aes-256-gcm', sealingKey(secret), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(kid)).setAuthTag(tag);
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new WrongKey('the signing keys in the database were encrypted with another CURFEW_KEY');
  }
}

/**
 * Opens a key sealed under any of the secrets, while `CURFEW_KEY` is being changed.
 * @throws WrongKey
 */
export function decryptKeyByAny(sealed: Buffer, secrets: readonly string[], kid: string): Buffer {
  const [secret = '', ...others] = secrets;
  try {
    return decryptKey(sealed, secret, kid);
  } catch (error) {
    if (others.length === 0) throw error;
    return decryptKeyByAny(sealed, others, kid);
  }
}
