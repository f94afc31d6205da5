import type { SigningAlgorithm } from '@curfew/protocol/claims';

interface KeyTimes {
  kid: string;
  alg: SigningAlgorithm;
  signsFrom: Date;
}

/** The signing key of an algorithm: the newest whose time to sign has come. */
export function signingKey<K extends KeyTimes>(
  keys: readonly K[],
  alg: SigningAlgorithm,
  now: Date,
): K | undefined {
  return keys
    .filter((key) => key.alg === alg && key.signsFrom <= now)
    .reduce<K | undefined>(
      (newest, key) => (newest && newest.signsFrom >= key.signsFrom ? newest : key),
      undefined,
    );
}

/**
 * The keys to publish and to verify with: future ones, the signing one, and each older one until its successor has signed for
 * `keepSeconds`, which is longer than any token lives.
 */
export function publishedKeys<K extends KeyTimes>(keys: readonly K[], now: Date, keepSeconds: number): K[] {
  return keys.filter((key) => {
    const successor = keys
      .filter((other) => other.alg === key.alg && other.signsFrom > key.signsFrom)
      .reduce<K | undefined>(
        (next, other) => (next && next.signsFrom <= other.signsFrom ? next : other),
        undefined,
      );
    return !successor || successor.signsFrom.getTime() + keepSeconds * 1000 > now.getTime();
  });
}
