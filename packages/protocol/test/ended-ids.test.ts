import { EndedIds, type SessionKey, sessionKey } from '@curfew/protocol/ended-ids';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sidOf } from './sessions.ts';

test('random operations give the same result as on a Set', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 2000 }), (numbers) => {
      const ids = new EndedIds();
      const set = new Set<number>();
      for (const n of numbers) {
        ids.add(sessionKey(sidOf(n)));
        set.add(n);
      }
      expect(ids.size).toBe(set.size);
      for (let n = 0; n < 3000; n += 7) expect(ids.has(sessionKey(sidOf(n)))).toBe(set.has(n));
    }),
    { numRuns: 100 },
  );
});

test('random ids that collide in one table are all found', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const few = fc.integer({ min: -2, max: 2 });
  const key = fc.record({
    a: fc.oneof(word, few).map((a) => a & 0x7fffffff),
    // The lowest bits choose the table.
    b: fc.oneof(word, few).map((b) => b & ~1023),
    c: fc.oneof(word, few, fc.integer({ min: 2 ** 31 - 3, max: 2 ** 31 - 1 }), fc.constant(-(2 ** 31))),
  });
  fc.assert(
    fc.property(fc.array(key, { maxLength: 400 }), fc.array(key, { maxLength: 50 }), (added, others) => {
      const ids = new EndedIds();
      // The largest `c` marks a free slot: it is taken for the one before it.
      const name = ({ a, b, c }: { a: number; b: number; c: number }): string =>
        `${a},${b},${Math.min(c, 2 ** 31 - 2)}`;
      const set = new Set(added.map(name));
      for (const one of added) ids.add(one);
      expect(ids.size).toBe(set.size);
      for (const one of [...added, ...others]) expect(ids.has(one)).toBe(set.has(name(one)));
      const listed = [...ids.chunks(7)].flat().map(name);
      expect(listed.toSorted()).toEqual([...set].toSorted());
    }),
  );
});

test('a table of many pages holds every key, and lists it, while it grows, shrinks and takes pages again', () => {
  const ids = new EndedIds();
  const key = (n: number): SessionKey => ({ a: n, b: 128 * (n % 5), c: Math.imul(n, 0x9e3779b1) });
  const isHeld = (from: number, to: number): boolean => {
    for (let n = from; n < to; n++) if (!ids.has(key(n))) return false;
    return true;
  };
  const round = (): void => {
    for (let i = 0; i < EndedIds.sweeps; i++) ids.sweep();
  };
  for (let end = 60_000; end <= 240_000; end += 60_000) {
    for (let n = end - 60_000; n < end; n++) ids.add(key(n));
    expect(isHeld(end - 60_000, end)).toBe(true);
    round();
    // The keys of the last round are there, and no other.
    const from = end - 60_000;
    expect(isHeld(from, end)).toBe(true);
    expect(ids.size).toBe(end - from);
    const listed = [...ids.chunks(1000)].flat().map(({ a }) => a);
    expect(listed.toSorted((a, b) => a - b)).toEqual(Array.from({ length: end - from }, (_, i) => from + i));
    for (let n = end; n < end + 60_000; n += 7) if (ids.has(key(n))) expect.fail(`${n} is not there`);
  }
  const listed = new Set<number>();
  let n = 240_000;
  for (const keys of ids.chunks(5000)) {
    for (const { a } of keys) listed.add(a);
    for (const end = n + 9000; n < end; n++) ids.add(key(n));
  }
  for (let there = 180_000; there < 240_000; there++)
    if (!listed.has(there)) expect.fail(`${there} is not listed`);
  expect(isHeld(180_000, n)).toBe(true);
  round();
  round();
  expect(ids.size).toBe(0);
  expect(ids.bytes).toBeLessThan(1000);
});

test('a key stays for a full round of sweeps after its last arrival, and is gone after two', () => {
  const rounds = fc.array(
    fc.record({ n: fc.integer({ min: 0, max: 200 }), sweeps: fc.integer({ min: 0, max: 700 }) }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(rounds, (steps) => {
      const ids = new EndedIds();
      const last = new Map<number, number>();
      let swept = 0;
      for (const { n, sweeps } of steps) {
        ids.add(sessionKey(sidOf(n)));
        last.set(n, swept);
        for (let i = 0; i < sweeps; i++) ids.sweep();
        swept += sweeps;
        for (const [one, at] of last) {
          const there = ids.has(sessionKey(sidOf(one)));
          if (swept - at < EndedIds.sweeps) expect(there).toBe(true);
          if (swept - at >= 2 * EndedIds.sweeps) expect(there).toBe(false);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('ids present at the start of a listing are listed, whatever comes and goes meanwhile', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 2 });
  const key = fc.record({ a: word.map((a) => a & 0x7fffffff), b: word.map((b) => b & 127), c: word });
  const name = ({ a, b, c }: { a: number; b: number; c: number }): string => `${a},${b},${c}`;
  const acts = fc.array(fc.record({ add: fc.array(key, { maxLength: 20 }), sweeps: fc.nat(8) }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(
      fc.array(key, { maxLength: 300 }),
      acts,
      fc.integer({ min: 1, max: 9 }),
      (there, meanwhile, size) => {
        const ids = new EndedIds();
        for (const one of there) ids.add(one);
        const listed = new Set<string>();
        let at = 0;
        // Fewer than a round of sweeps: nothing may leave.
        let sweeps = 0;
        for (const keys of ids.chunks(size)) {
          for (const one of keys) listed.add(name(one));
          const act = meanwhile[at++];
          for (const one of act?.add ?? []) ids.add(one);
          for (let i = 0; i < (act?.sweeps ?? 0) && sweeps < EndedIds.sweeps - 1; i++, sweeps++) ids.sweep();
        }
        for (const one of there) expect(listed).toContain(name(one));
      },
    ),
  );
});

test('ids take at most 24 bytes each, also during growth and after sweeps', () => {
  const ids = new EndedIds();
  const key = (): { a: number; b: number; c: number } => ({
    a: Math.floor(Math.random() * 2 ** 31),
    b: Math.floor(Math.random() * 2 ** 32) | 0,
    c: Math.floor(Math.random() * 2 ** 32) | 0,
  });
  // From one page for each table to five.
  for (let n = 1; n <= 3_000_000; n++) {
    ids.add(key());
    if (n >= 50_000 && n % 12_500 === 0 && ids.bytes / ids.size >= 24)
      expect.fail(`${ids.bytes / ids.size} bytes each with ${n} ids`);
  }
  for (let i = 0; i < EndedIds.sweeps; i++) ids.sweep();
  for (let n = 0; n < 80_000; n++) ids.add(key());
  for (let i = 0; i < EndedIds.sweeps; i++) ids.sweep();
  // Keys from before the first round are gone, later ones are not.
  expect(ids.size).toBe(80_000);
  expect(ids.bytes / ids.size).toBeLessThan(24);
  for (let i = 0; i < EndedIds.sweeps; i++) ids.sweep();
  expect(ids.size).toBe(0);
  expect(ids.bytes).toBeLessThan(100_000);
});

test('ids differ by every random bit and by the end of their time', () => {
  const sid = '01890a5d-ac96-774b-bcce-b302099a8057';
  const ids = new EndedIds();
  ids.add(sessionKey(sid));
  expect(ids.has(sessionKey(sid.toUpperCase()))).toBe(true);
  for (let at = 7; at < 36; at++) {
    // The version, and the character of the variant, whose other two bits count.
    if (sid[at] === '-' || at === 14) continue;
    const digit = Number.parseInt(sid[at] as string, 16);
    const other = at === 19 || at === 7 ? digit ^ 1 : (digit + 1) % 16;
    const changed = sid.slice(0, at) + other.toString(16) + sid.slice(at + 1);
    expect(ids.has(sessionKey(changed)), changed).toBe(false);
  }
});

test('a text that is not a UUID is refused', () => {
  for (const text of [
    '',
    'x',
    `${'0'.repeat(35)}g`,
    '01890a5d-ac96-774b-bcce-b302099a805',
    '01890a5d-ac96-774b-bcce-b302099a80zz',
  ])
    expect(() => sessionKey(text), text).toThrow('a session id must be a UUID');
});
