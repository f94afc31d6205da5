import {
  type Cut,
  CUT_KINDS,
  cutAll,
  cutOthers,
  DEFAULT_TENANT,
  deviceKey,
  isCut,
  keysOf,
  mergeCuts,
  userKey,
} from '@curfew/protocol/cuts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

// Few positions and few sessions, so that random cuts meet at their edges.
const sids = ['a', 'b', 'c'];
const position = fc.integer({ min: 0, max: 12 });
const exception = fc.option(fc.constantFrom(...sids), { nil: null });
const session = fc.record({ sid: fc.constantFrom(...sids), born: position });
const sessions: { sid: string; born: number }[] = sids.flatMap((sid) =>
  Array.from({ length: 14 }, (_, born) => ({ sid, born })),
);

/** Any cut that can be stored under a key: a merge of the two kinds that are written. */
const written: fc.Arbitrary<Cut> = fc
  .tuple(position, exception)
  .map(([at, except]) => (except === null ? cutAll(at) : cutOthers(at, except)));
const cut: fc.Arbitrary<Cut> = fc
  .array(written, { minLength: 1, maxLength: 5 })
  .map((list) => list.reduce(mergeCuts));

const ended = (of: Cut): boolean[] => sessions.map((one) => isCut(of, one));

describe('the algebra of cuts', () => {
  test('a merge ends exactly the sessions that either cut ends', () => {
    fc.assert(
      fc.property(cut, cut, session, (a, b, one) => {
        expect(isCut(mergeCuts(a, b), one)).toBe(isCut(a, one) || isCut(b, one));
      }),
      { numRuns: 20_000 },
    );
  });

  test('a merge of any number of cuts is independent of their order', () => {
    fc.assert(
      fc.property(
        fc.array(written, { minLength: 1, maxLength: 8 }),
        fc.infiniteStream(fc.nat()),
        (list, random) => {
          const shuffled = [...list].sort(() => ((random.next().value as number) % 3) - 1);
          const merged = shuffled.reduce(mergeCuts);
          for (const one of sessions)
            expect(isCut(merged, one)).toBe(list.some((single) => isCut(single, one)));
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('merging is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(cut, cut, cut, (a, b, c) => {
        expect(ended(mergeCuts(a, b))).toEqual(ended(mergeCuts(b, a)));
        expect(ended(mergeCuts(mergeCuts(a, b), c))).toEqual(ended(mergeCuts(a, mergeCuts(b, c))));
        expect(mergeCuts(a, a)).toEqual(a);
      }),
      { numRuns: 5000 },
    );
  });

  test('a merge never shrinks, and its base never exceeds its position', () => {
    fc.assert(
      fc.property(cut, cut, (a, b) => {
        const merged = mergeCuts(a, b);
        expect(merged.position).toBe(Math.max(a.position, b.position));
        expect(merged.base).toBeGreaterThanOrEqual(Math.max(a.base, b.base));
        expect(merged.base).toBeLessThanOrEqual(merged.position);
      }),
    );
  });

  test('named cases of merges', () => {
    expect(isCut(cutAll(5), { sid: 'a', born: 4 })).toBe(true);
    // A session that is born at the position, or above, lives.
    expect(isCut(cutAll(5), { sid: 'a', born: 5 })).toBe(false);
    expect(isCut(cutOthers(5, 'a'), { sid: 'a', born: 4 })).toBe(false);
    expect(isCut(cutOthers(5, 'a'), { sid: 'b', born: 4 })).toBe(true);
    // "Log out the others" after "log out all" does not bring the spared one back.
    expect(isCut(mergeCuts(cutAll(5), cutOthers(9, 'a')), { sid: 'a', born: 4 })).toBe(true);
    expect(isCut(mergeCuts(cutAll(5), cutOthers(9, 'a')), { sid: 'a', born: 6 })).toBe(false);
    // Two devices that log each other out are both out.
    expect(isCut(mergeCuts(cutOthers(5, 'a'), cutOthers(9, 'b')), { sid: 'a', born: 4 })).toBe(true);
    expect(isCut(mergeCuts(cutOthers(5, 'a'), cutOthers(9, 'b')), { sid: 'b', born: 4 })).toBe(true);
  });
});

test('a session has the keys of its scopes, and a device belongs to its user', () => {
  const facts = {
    sid: 's',
    subject: '7',
    clientId: 'shop',
    deviceId: 'd',
    born: 1,
    login: { sid: 'l', born: 0, clientId: 'pages' },
    tenant: 'acme',
  };
  expect(keysOf(facts)).toEqual([
    'everyone',
    'user:7',
    'client:shop',
    'device:7:d',
    'login:l',
    'tenant:acme',
    'grant:7:shop',
  ]);
  expect(keysOf(facts).map((key) => key.split(':')[0])).toEqual([...CUT_KINDS]);
  expect(deviceKey('7', '1:2')).not.toBe(deviceKey('71', '2'));
  expect(new Set([userKey('1'), deviceKey('1', ''), deviceKey('1', '1')]).size).toBe(3);
});

test('a session that was not begun through another is its own login, and of no tenant unless it says', () => {
  const keys = keysOf({
    sid: 's',
    subject: '7',
    clientId: 'c',
    deviceId: 'd',
    born: 1,
    login: null,
    tenant: null,
  });
  expect(keys).toContain('login:s');
  expect(keys).not.toContain(`tenant:${DEFAULT_TENANT}`);
  expect(keys).toHaveLength(CUT_KINDS.length);
});
