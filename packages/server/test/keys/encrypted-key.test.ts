import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { encryptKey, decryptKey, WrongKey } from '../../src/keys/encrypted-key.ts';

const SECRET = 'a secret of the tests';
const PLAIN = Buffer.from('what nobody may read');

test('a sealed key opens, and each sealing differs', () => {
  const [a, b] = [1, 2].map(() => encryptKey(PLAIN, SECRET, 'kid', randomBytes));
  expect(a?.equals(b ?? PLAIN)).toBe(false);
  expect(a?.includes(PLAIN)).toBe(false);
  for (const sealed of [a, b]) expect(decryptKey(sealed ?? PLAIN, SECRET, 'kid').equals(PLAIN)).toBe(true);
});

test('another secret, another name, or a flipped bit is refused', () => {
  const sealed = encryptKey(PLAIN, SECRET, 'kid', randomBytes);
  expect(() => decryptKey(sealed, `${SECRET} `, 'kid')).toThrow(WrongKey);
  expect(() => decryptKey(sealed, SECRET, 'dik')).toThrow(WrongKey);
  for (let i = 0; i < sealed.length; i++) {
    const turned = Buffer.from(sealed);
    turned[i] = (turned[i] ?? 0) ^ 1;
    expect(() => decryptKey(turned, SECRET, 'kid')).toThrow(WrongKey);
  }
});

test.each([0, 1, 12, 27, 28])('%i bytes are refused', (length) => {
  expect(() => decryptKey(Buffer.alloc(length), SECRET, 'kid')).toThrow(WrongKey);
});
