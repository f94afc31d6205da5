import { type Hint, readRing, type Ring, RingTexts } from '@curfew/protocol/rings';
import { type Authenticator, seal, unseal } from '@curfew/protocol/sealed';
import { describe, expect, test } from 'vitest';

/** Not cryptography: the tests check what the MAC covers. */
const keyed = (key: string): Authenticator => {
  const sign = (text: string): string => {
    let hash = 0;
    for (const char of key + text) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0;
    return `m${hash >>> 0}`;
  };
  return { sign, verifies: (text, mac) => sign(text) === mac };
};

const RING: Ring = { ring: 7, from: 'a' };
const ACK: Ring = { ack: 7, from: 'b', to: 'a', over: true, acknowledged: 2, missing: 0 };
const HINT: Hint = { changed: [1, 2], from: 'a' };

describe('a sealed object', () => {
  const key = keyed('k');

  test('is read by a reader that does not know the MAC, and opened by a holder of the key', () => {
    const text = seal('{"a":1}', 'x', key);
    expect(JSON.parse(text)).toMatchObject({ a: 1 });
    expect(unseal(text, 'x', key)).toBe('{"a":1}');
  });

  test('does not verify under another key, in another context, or changed anywhere', () => {
    const text = seal('{"a":",\\"mac\\":\\"","b":1}', 'x', key);
    expect(unseal(text, 'x', key)).not.toBeNull();
    expect(unseal(text, 'x', keyed('l'))).toBeNull();
    expect(unseal(text, 'y', key)).toBeNull();
    for (let at = 0; at < text.length; at++) {
      expect(unseal(`${text.slice(0, at)}!${text.slice(at + 1)}`, 'x', key), `at ${at}`).toBeNull();
      expect(unseal(text.slice(0, at) + text.slice(at + 1), 'x', key), `without ${at}`).toBeNull();
    }
  });
});

describe('the texts of the doorbell', () => {
  test('are read as they were written', () => {
    const [a, b] = [new RingTexts(keyed('k')), new RingTexts(keyed('k'))];
    for (const message of [RING, ACK, HINT]) expect(b.read(a.write(message), 'redis')).toEqual(message);
  });

  test('have the same meaning for a node of the version before', () => {
    for (const message of [RING, ACK, HINT])
      expect(JSON.parse(new RingTexts(keyed('k')).write(message))).toMatchObject({ ...message });
  });

  test('are refused without the MAC, or with that of another message', () => {
    const [a, b] = [new RingTexts(keyed('k')), new RingTexts(keyed('k'))];
    const text = a.write(ACK);
    const changes: [from: string, to: string][] = [
      ['"ack":7', '"ack":8'],
      ['"from":"b"', '"from":"c"'],
      ['"to":"a"', '"to":"d"'],
      ['"over":true', '"over":false'],
      ['"acknowledged":2', '"acknowledged":3'],
      ['"missing":0', '"missing":1'],
      ['"n":1', '"n":2'],
      ['"mac"', '"ack":9,"mac"'],
    ];
    for (const [from, to] of changes) {
      expect(text).toContain(from);
      expect(b.read(text.replace(from, to), 'redis'), to).toBe('unauthenticated');
    }
    for (const message of [RING, ACK, HINT])
      expect(b.read(JSON.stringify(message), 'redis')).toBe('unauthenticated');
    expect(b.read(new RingTexts(keyed('other')).write(RING), 'redis')).toBe('unauthenticated');
    expect(b.read(text, 'redis')).toEqual(ACK);
  });

  test('are accepted once over each medium, in any order', () => {
    const [a, b] = [new RingTexts(keyed('k')), new RingTexts(keyed('k'))];
    const texts = Array.from({ length: 3000 }, (_, i) => a.write({ ring: i, from: 'a' }));
    const read = (i: number, way: string): unknown => b.read(texts[i] ?? '', way);
    for (const i of [1, 0, 2, 5, 3]) expect(read(i, 'redis')).toEqual({ ring: i, from: 'a' });
    for (const i of [1, 0, 2, 5, 3]) expect(read(i, 'redis')).toBe('repeated');
    expect(read(5, 'database')).toEqual({ ring: 5, from: 'a' });
    expect(read(4, 'redis')).toEqual({ ring: 4, from: 'a' });
    // Far ahead: a number that is too far behind counts as received.
    expect(read(2999, 'redis')).toEqual({ ring: 2999, from: 'a' });
    expect(read(6, 'redis')).toBe('repeated');
    expect(read(2998, 'redis')).toEqual({ ring: 2998, from: 'a' });
    expect(read(2998, 'redis')).toBe('repeated');
  });

  test('are refused when invalid, also with a valid signature', () => {
    const key = keyed('k');
    const texts = new RingTexts(key);
    const values = [
      {},
      { n: 1 },
      { ring: 1, from: 'a' },
      { ring: 1, from: 'a', n: -1 },
      { ring: 1, from: 'a', n: '1' },
      { ring: Number.NaN, from: 'a', n: 1 },
      { ring: 1.5, from: 'a', n: 1 },
      { ring: 2 ** 53, from: 'a', n: 1 },
      { ring: 1, from: '', n: 1 },
      { ring: 1, from: 'x'.repeat(65), n: 1 },
      { ring: 1, ack: 1, from: 'a', n: 1 },
      { ...ACK, to: 1, n: 1 },
      { ...ACK, over: 1, n: 1 },
      { ...ACK, missing: null, n: 1 },
      { changed: null, from: 'a', n: 1 },
      { changed: ['1'], from: 'a', n: 1 },
      { changed: [1, '1'], from: 'a', n: 1 },
      { changed: Array.from({ length: 1001 }, () => 1), from: 'a', n: 1 },
      { changed: [1], from: ['a'], n: 1 },
    ];
    for (const value of values)
      expect(texts.read(seal(JSON.stringify(value), 'doorbell', key), 'w'), JSON.stringify(value)).toBe(
        'malformed',
      );
    expect(readRing({ ring: 1, ack: 1, from: 'a' })).toBeNull();
    expect(texts.read(seal('[1}', 'doorbell', key), 'w')).toBe('malformed');
    expect(texts.read('x'.repeat(8001), 'w')).toBe('malformed');
    for (const text of ['', '}', 'null', ',"mac":"', ',"mac":"x"}', '{"mac":"x"}'])
      expect(texts.read(text, 'w'), text).toBe('unauthenticated');
  });
});
