import type { SigningAlgorithm } from '@curfew/protocol/claims';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { publishedKeys, signingKey } from '../../src/domain/signing-keys.ts';

const at = (seconds: number): Date => new Date(1_800_000_000_000 + seconds * 1000);
const key = (kid: string, seconds: number, alg: SigningAlgorithm = 'EdDSA') => ({
  kid,
  alg,
  signsFrom: at(seconds),
});
const KEEP = 360;

describe('which key signs, and which are published', () => {
  const keys = [key('a', 0), key('b', 1000), key('c', 2000), key('es', 0, 'ES256')];
  test.each([
    [0, 'a', ['a', 'b', 'c', 'es']],
    [999, 'a', ['a', 'b', 'c', 'es']],
    [1000, 'b', ['a', 'b', 'c', 'es']],
    [1000 + KEEP - 1, 'b', ['a', 'b', 'c', 'es']],
    [1000 + KEEP, 'b', ['b', 'c', 'es']],
    [2000, 'c', ['b', 'c', 'es']],
    [2000 + KEEP, 'c', ['c', 'es']],
    [999_999, 'c', ['c', 'es']],
  ])('after %i s', (seconds, signs, published) => {
    expect(signingKey(keys, 'EdDSA', at(seconds))?.kid).toBe(signs);
    expect(publishedKeys(keys, at(seconds), KEEP).map(({ kid }) => kid)).toEqual(published);
    expect(signingKey(keys, 'ES256', at(seconds))?.kid).toBe('es');
    expect(signingKey(keys, 'RS256', at(seconds))).toBe(undefined);
  });

  test('before its time no key signs', () => {
    expect(signingKey([key('a', 10)], 'EdDSA', at(9))).toBe(undefined);
  });

  test('at any time, with any keys: the signing key is published, and was so for as long as a token lives', () => {
    const some = fc.array(
      fc.tuple(fc.integer({ min: -2000, max: 2000 }), fc.constantFrom<SigningAlgorithm>('EdDSA', 'ES256')),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(
        some,
        fc.integer({ min: -3000, max: 4000 }),
        fc.integer({ min: 0, max: KEEP - 1 }),
        (list, now, age) => {
          const made = list.map(([seconds, alg], i) => key(String(i), seconds, alg));
          for (const alg of ['EdDSA', 'ES256'] as const) {
            const signed = signingKey(made, alg, at(now));
            if (!signed) continue;
            const kids = publishedKeys(made, at(now + age), KEEP).map(({ kid }) => kid);
            // Two keys of the same instant are equivalent.
            expect(kids).toContain(signed.kid);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
