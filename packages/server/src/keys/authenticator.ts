import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Authenticator } from '@curfew/protocol/sealed';

/** The use of a key: a MAC of one kind is not valid for another. */
type Purpose = 'curfew messages of nodes' | 'curfew cached copies';

/** HMAC-SHA256 under a key derived from a secret (HKDF, RFC 5869). The first secret signs, each of them verifies. */
export function createAuthenticator(
  secrets: readonly (string | Buffer)[],
  /** The installation's name: MACs of another installation do not verify here. */
  installation: string,
  purpose: Purpose,
): Authenticator {
  const keys = secrets.map((secret) =>
    createSecretKey(Buffer.from(hkdfSync('sha256', secret, installation, purpose, 32))),
  );
  const [signing] = keys;
  if (!signing) throw new Error('the secret to sign with is missing');
  return {
    sign: (text) => mac(signing, text),
    verifies(text, given) {
      const bytes = Buffer.from(given);
      return keys.some((key) => {
        const right = Buffer.from(mac(key, text));
        return right.length === bytes.length && timingSafeEqual(right, bytes);
      });
    },
  };
}

const mac = (key: KeyObject, text: string): string =>
  createHmac('sha256', key).update(text).digest('base64url');
