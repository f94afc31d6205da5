import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  accessText,
  csrfToken,
  hashSecret,
  lineageOf,
  newSecret,
  NONCE_BYTES,
  parseBearer,
  parseOpaque,
  successorSecret,
} from '../../src/domain/credentials.ts';

const KINDS = ['session', 'cookie', 'refresh'] as const;

describe('opaque credentials', () => {
  test.each(KINDS)('a new %s token parses as its kind only, and is found by its hash', (kind) => {
    for (let i = 0; i < 100; i++) {
      const text = newSecret(kind, randomBytes);
      expect(parseOpaque(kind, text)).toEqual({ kind, text, hash: hashSecret(text) });
      for (const other of KINDS) if (other !== kind) expect(parseOpaque(other, text)).toBe(null);
      expect(parseBearer(text)?.kind ?? null).toBe(kind === 'session' ? 'session' : null);
    }
  });

  test('an access token is its id and its secret', () => {
    const secret = newSecret('access', randomBytes);
    expect(parseBearer(accessText(42, secret))).toEqual({
      kind: 'access',
      text: `42|${secret}`,
      id: 42,
      hash: hashSecret(secret),
    });
    for (const id of ['0', '042', '-1', '1.0', '', ' 1', '1 ', '٣', '1e3', '9'.repeat(17)])
      expect(parseBearer(`${id}|${secret}`)).toBe(null);
  });

  test('of the spellings of 32 bytes only the canonical one is accepted', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const text = newSecret('refresh', randomBytes);
    const bytes = (spelling: string): string => Buffer.from(spelling.slice(3), 'base64url').toString('hex');
    const same = alphabet
      .split('')
      .map((last) => text.slice(0, -1) + last)
      .filter((spelling) => bytes(spelling) === bytes(text));
    expect(same).toHaveLength(4);
    expect(same.filter((spelling) => parseOpaque('refresh', spelling) !== null)).toEqual([text]);
    for (const other of [
      `${text}=`,
      `${text}A`,
      text.slice(0, -1),
      ` ${text}`,
      `${text}\n`,
      text.toUpperCase(),
      'rt_',
      '',
    ])
      expect(parseOpaque('refresh', other)).toBe(null);
  });

  test('secrets never repeat, and each has 256 bits', () => {
    const made = Array.from({ length: 1000 }, () => newSecret('cookie', randomBytes));
    expect(new Set(made).size).toBe(1000);
    for (const text of made) expect(Buffer.from(text.slice(3), 'base64url')).toHaveLength(32);
  });
});

describe('derived secrets', () => {
  const spent = newSecret('refresh', randomBytes);
  const nonce = randomBytes(32);

  test('a successor is the same for the same token and nonce, and differs for all others', () => {
    const successor = successorSecret(spent, nonce, 'refresh');
    expect(parseOpaque('refresh', successor)?.kind).toBe('refresh');
    expect(successorSecret(spent, nonce, 'refresh')).toBe(successor);
    const others = [
      successorSecret(spent, randomBytes(32), 'refresh'),
      successorSecret(newSecret('refresh', randomBytes), nonce, 'refresh'),
      `rt_${successorSecret(spent, nonce, 'access')}`,
      `rt_${successorSecret(spent, nonce, 'jti')}`,
      spent,
    ];
    expect(others).not.toContain(successor);
    expect(new Set(others).size).toBe(others.length);
  });

  test('a successor names the first token of its family and its generation, and looks like any other token', () => {
    const line = [spent];
    for (let i = 0; i < 300; i++)
      line.push(successorSecret(line.at(-1) ?? '', randomBytes(NONCE_BYTES), 'refresh'));
    for (const [i, text] of line.entries()) {
      expect(parseOpaque('refresh', text)?.text).toBe(text);
      expect(lineageOf(text)?.generation).toBe(i);
      expect(lineageOf(text)?.firstHash()).toEqual(hashSecret(spent));
    }
    // What is new in each shares no byte with the others but by chance.
    expect(new Set(line.map((text) => text.slice(7, 21))).size).toBe(line.length);
  });

  test('a token of the version before names no family, and neither do successors of it or of its nonce', () => {
    const before = `rt_${Buffer.alloc(32, 1).toString('base64url')}`;
    const texts = [
      before,
      successorSecret(before, Buffer.alloc(NONCE_BYTES, 1), 'refresh'),
      successorSecret(`rt_${Buffer.alloc(32, 2).toString('base64url')}`, Buffer.alloc(32, 1), 'refresh'),
    ];
    expect(texts.map(lineageOf)).toEqual([null, null, null]);
    expect(lineageOf(successorSecret(spent, nonce, 'refresh'))).toBe(null);
  });

  test('a CSRF token belongs to its cookie and does not reveal it', () => {
    const [a, b] = [newSecret('cookie', randomBytes), newSecret('cookie', randomBytes)];
    expect(csrfToken(a)).toBe(csrfToken(a));
    expect(csrfToken(a)).not.toBe(csrfToken(b));
    expect(csrfToken(a)).toHaveLength(43);
    expect(csrfToken(a)).not.toBe(hashSecret(a).toString('base64url'));
  });
});
