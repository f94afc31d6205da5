import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { isKeyText, newKeyText } from '../../src/domain/api-key.ts';
import { redact } from '../../src/system/log.ts';

const KINDS = ['client', 'operator'] as const;

describe('the text of an API key', () => {
  test.each(KINDS)('of a kind (%s) says so, is new each time, and is one word', (kind) => {
    const texts = Array.from({ length: 200 }, () => newKeyText(kind, randomBytes));
    expect(new Set(texts).size).toBe(200);
    const form = kind === 'client' ? /^curfew_ck_[0-9A-Za-z]{38}$/ : /^curfew_ok_[0-9A-Za-z]{38}$/;
    for (const text of texts) {
      expect(text).toMatch(form);
      expect(isKeyText(text)).toBe(true);
      expect(redact(`no key ${text}!`)).toBe('no key [redacted]!');
    }
  });

  test('has the checksum that leak scanners compute: CRC-32 in base 62', () => {
    // Of another implementation: zlib.crc32 of Python, 0-9A-Za-z.
    const zeros = newKeyText('client', (length) => Buffer.alloc(length));
    expect(zeros).toBe(`curfew_ck_${'0'.repeat(32)}4BrA7E`);
  });

  test('with any other character is refused', () => {
    const text = newKeyText('operator', randomBytes);
    for (let at = 0; at < text.length; at++) {
      const other = text.charAt(at) === 'x' ? 'y' : 'x';
      expect(isKeyText(text.slice(0, at) + other + text.slice(at + 1))).toBe(false);
    }
    for (const wrong of ['', text.slice(0, -1), `${text}0`, ` ${text}`, `${text}\n`, text.toUpperCase()])
      expect(isKeyText(wrong)).toBe(false);
    expect(isKeyText(text.replace('_ok_', '_ck_'))).toBe(false);
  });

  test('takes each digit equally often', () => {
    // Every byte once in each run: the eight highest are passed over.
    let next = 0;
    const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => next++ % 256));
    const counts = new Map<string, number>();
    for (let i = 0; i < 62 * 8; i++)
      for (const digit of newKeyText('client', bytes).slice(10, 42))
        counts.set(digit, (counts.get(digit) ?? 0) + 1);
    expect([...new Set(counts.values())]).toEqual([256]);
    expect(counts.size).toBe(62);
  });
});
