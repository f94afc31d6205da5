import {
  clientKey,
  cutAll,
  cutOthers,
  DEFAULT_TENANT,
  deviceKey,
  EVERYONE_KEY,
  grantKey,
  loginKey,
  tenantKey,
  userKey,
} from '@curfew/protocol/cuts';
import type { KeyedCut } from '@curfew/protocol/ending';
import { Replica } from '@curfew/protocol/replica';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { session, sidOf } from './sessions.ts';

const KEEP = 1024;
const cuts = (...list: KeyedCut[]): { ids: string[]; cuts: KeyedCut[] } => ({ ids: [], cuts: list });

test('ids and cuts end the sessions that they name', () => {
  const replica = new Replica(KEEP, 0);
  const one = session({ born: 10 });
  const other = session({ sid: sidOf(2), born: 20, deviceId: 'desk' });
  expect(replica.ends(one)).toBe(false);
  replica.apply({ ids: [sidOf(2)], cuts: [] }, 0);
  expect([replica.ends(one), replica.ends(other)]).toEqual([false, true]);
  replica.apply(cuts({ key: deviceKey('7', 'phone'), ...cutAll(11) }), 0);
  expect(replica.ends(one)).toBe(true);
  expect(replica.ends(session({ sid: sidOf(3), born: 11 }))).toBe(false);
  expect(replica.ends(session({ sid: sidOf(3), born: 10, subject: '8' }))).toBe(false);
  replica.apply(cuts({ key: EVERYONE_KEY, ...cutAll(12) }), 0);
  expect(replica.ends(session({ sid: sidOf(3), born: 11, subject: '8' }))).toBe(true);
});

test('endings in any order, once or twice, or through another replica, give the same result', () => {
  const cut = fc.record({
    key: fc.constantFrom(userKey('7'), EVERYONE_KEY),
    cut: fc.oneof(
      fc.nat(20).map(cutAll),
      fc.tuple(fc.nat(20), fc.constantFrom(sidOf(1), sidOf(2))).map(([at, sid]) => cutOthers(at, sid)),
    ),
  });
  const ending = fc.oneof(
    cut.map((one) => cuts({ key: one.key, ...one.cut })),
    fc.constantFrom(sidOf(3), sidOf(4)).map((sid) => ({ ids: [sid], cuts: [] })),
  );
  const seen = (replica: Replica): boolean[] =>
    [1, 2, 3, 4].flatMap((n) => [5, 15].map((born) => replica.ends(session({ sid: sidOf(n), born }))));
  fc.assert(
    fc.property(fc.array(ending, { maxLength: 8 }), fc.infiniteStream(fc.nat()), (endings, random) => {
      const [first, second, third] = [new Replica(KEEP, 0), new Replica(KEEP, 0), new Replica(KEEP, 0)];
      for (const one of endings) first.apply(one, 0);
      const shuffled = [...endings, ...endings].sort(() => ((random.next().value as number) % 3) - 1);
      for (const one of shuffled) second.apply(one, 0);
      for (const part of first.parts()) third.fill(part, 0);
      expect(seen(second)).toEqual(seen(first));
      expect(seen(third)).toEqual(seen(first));
    }),
  );
});

test('an entry stays for its time after its last arrival, and not for ever', () => {
  const replica = new Replica(KEEP, 0);
  replica.apply({ ids: [sidOf(2)], cuts: [{ key: userKey('7'), ...cutAll(11) }] }, 500);
  const one = session({ sid: sidOf(1), born: 10 });
  const other = session({ sid: sidOf(2), born: 99, subject: '8' });
  for (let now = 500; now <= 500 + KEEP; now += 7) {
    replica.forget(now);
    expect([replica.ends(one), replica.ends(other)]).toEqual([true, true]);
  }
  // Heard of again: it stays for as long again.
  replica.apply({ ids: [sidOf(2)], cuts: [{ key: userKey('7'), ...cutAll(5) }] }, 500 + KEEP);
  replica.forget(500 + 2 * KEEP);
  expect([replica.ends(one), replica.ends(other)]).toEqual([true, true]);
  replica.forget(600 + 4 * KEEP);
  expect([replica.ends(one), replica.ends(other)]).toEqual([false, false]);
  expect(replica.size()).toMatchObject({ ids: 0, cuts: 0 });
});

test('after a long time without a call everything old is dropped at once', () => {
  const replica = new Replica(KEEP, 0);
  for (let n = 0; n < 100; n++) replica.apply({ ids: [sidOf(n)], cuts: [] }, 0);
  replica.forget(1e9);
  expect(replica.size().ids).toBe(0);
  replica.apply({ ids: [sidOf(5)], cuts: [] }, 1e9);
  replica.forget(1e9 + KEEP - 1);
  expect(replica.size().ids).toBe(1);
});

test('pieces are bounded', () => {
  const replica = new Replica(KEEP, 0);
  for (let user = 0; user < 2500; user++)
    replica.apply(cuts({ key: userKey(String(user)), ...cutAll(1) }), 0);
  for (let n = 0; n < 5000; n++) replica.apply({ ids: [sidOf(n)], cuts: [] }, 0);
  const sizes = [...replica.parts()].map((part) => ('cuts' in part ? part.cuts.length : part.ids.length));
  expect(sizes.reduce((sum, size) => sum + size)).toBe(7500);
  expect(sizes.slice(0, 2)).toEqual([2000, 500]);
  expect(sizes.slice(2)).toEqual([2000, 2000, 1000]);
});

test('a cut that arrives again stays longer, and extends no other', () => {
  const replica = new Replica(KEEP, 0);
  const [again, once] = [session({ subject: '7', born: 10 }), session({ subject: '8', born: 10 })];
  replica.apply(cuts({ key: userKey('7'), ...cutAll(20) }), 0);
  replica.apply(cuts({ key: userKey('8'), ...cutAll(20) }), 1);
  replica.apply(cuts({ key: userKey('7'), ...cutAll(20) }), KEEP);
  replica.apply(cuts(), 2 * KEEP - 1);
  expect([replica.ends(again), replica.ends(once)]).toEqual([true, false]);
});

const login = (n: number) => ({ sid: sidOf(n), born: 5, clientId: 'pages' });

test.each([
  ['tenant', tenantKey('acme'), { tenant: 'acme' }, { tenant: 'other' }],
  ['grant', grantKey('7', 'shop'), {}, { clientId: 'mail' }],
] as const)(
  'a cut of a %s ends its sessions that were born before it, and no others',
  (_, key, inside, outside) => {
    const replica = new Replica(KEEP, 0);
    replica.apply(cuts({ key, ...cutAll(11) }), 0);
    expect(replica.ends(session(inside))).toBe(true);
    expect(replica.ends(session({ ...inside, born: 11 }))).toBe(false);
    expect(replica.ends(session(outside))).toBe(false);
    replica.forget(3 * KEEP);
    expect(replica.ends(session(inside))).toBe(false);
  },
);

test.each([
  ['the login', loginKey(sidOf(9))],
  ['everyone', EVERYONE_KEY],
  ['the user', userKey('7')],
  ['the device', deviceKey('7', 'phone')],
  ['the tenant', tenantKey(DEFAULT_TENANT)],
  ['the application of the login', clientKey('pages')],
  ['the grant of the login', grantKey('7', 'pages')],
])('a cut of %s that ends the login ends a session that was begun through it, however late', (_, key) => {
  const replica = new Replica(KEEP, 0);
  replica.apply(cuts({ key, ...cutAll(6) }), 0);
  expect(replica.ends(session({ born: 10, login: login(9) }))).toBe(true);
  expect(replica.ends(session({ born: 10, login: { ...login(9), born: 6 } }))).toBe(false);
});

test('an application’s cut ends the sessions of it that were born before, and not a login that is older', () => {
  const replica = new Replica(KEEP, 0);
  replica.apply(
    cuts({ key: clientKey('shop'), ...cutAll(9) }, { key: grantKey('7', 'shop'), ...cutAll(9) }),
    0,
  );
  expect(replica.ends(session({ born: 10, login: login(9) }))).toBe(false);
  expect(replica.ends(session({ born: 8, login: login(9) }))).toBe(true);
});

test('"log out the others" spares the login with all that was begun through it', () => {
  const replica = new Replica(KEEP, 0);
  replica.apply(cuts({ key: userKey('7'), ...cutOthers(20, sidOf(9)) }), 0);
  const isOver = (more: Parameters<typeof session>[0]): boolean => replica.ends(session(more));
  expect(isOver({ sid: sidOf(9), born: 5 })).toBe(false);
  expect(isOver({ sid: sidOf(1), born: 10, login: login(9) })).toBe(false);
  expect(isOver({ sid: sidOf(1), born: 10, login: login(8) })).toBe(true);
  // Renewed, it goes by the sid that it began with.
  expect(isOver({ sid: sidOf(2), born: 12, login: { ...login(9), born: 12 } })).toBe(false);
});

test('a cut of a login ends the login itself', () => {
  const replica = new Replica(KEEP, 0);
  replica.apply(cuts({ key: loginKey(sidOf(9)), ...cutAll(11) }), 0);
  expect(replica.ends(session({ sid: sidOf(9) }))).toBe(true);
  // An agent's session that outlives the login it was begun in front of is its own login.
  expect(replica.ends(session({ sid: sidOf(10), login: login(10) }))).toBe(false);
});

test('a kind whose last cut is dropped is looked up again when a cut of it comes', () => {
  const replica = new Replica(KEEP, 0);
  for (const at of [0, 3 * KEEP, 6 * KEEP]) {
    for (const key of [tenantKey('acme'), tenantKey('other')])
      replica.apply(cuts({ key, ...cutAll(11) }), at);
    replica.apply(cuts({ key: tenantKey('acme'), ...cutAll(12) }), at);
    expect(replica.ends(session({ tenant: 'other' }))).toBe(true);
    replica.forget(at + 2 * KEEP);
    expect(replica.ends(session({ tenant: 'other' }))).toBe(false);
    expect(replica.suitsVersion1(at + 2 * KEEP)).toBe(true);
  }
});

test('a credential that names no tenant is not believed while there are cuts of tenants or logins', () => {
  const older = session({ tenant: null });
  for (const key of [tenantKey('acme'), loginKey(sidOf(9))]) {
    const replica = new Replica(KEEP, 0);
    expect(replica.knows(older)).toBe(true);
    replica.apply(
      cuts({ key: userKey('9'), ...cutAll(11) }, { key: grantKey('9', 'shop'), ...cutAll(11) }),
      0,
    );
    expect(replica.knows(older)).toBe(true);
    replica.apply(cuts({ key, ...cutAll(11) }), 0);
    expect([replica.knows(older), replica.knows(session())]).toEqual([false, true]);
    replica.forget(3 * KEEP);
    expect(replica.knows(older)).toBe(true);
  }
});

test.each(['planet:earth', 'users:7', ''])(
  'a cut under the newer key "%s" makes a replica believe in no session',
  (key) => {
    const replica = new Replica(KEEP, 0);
    replica.apply(cuts({ key, ...cutAll(11) }), 0);
    expect([replica.ends(session()), replica.knows(session()), replica.suitsVersion1(0)]).toEqual([
      false,
      false,
      false,
    ]);
    replica.forget(3 * KEEP);
    expect(replica.knows(session())).toBe(true);
  },
);

test('a credential that names no tenant is not ended by a cut of the default tenant: it may be of another', () => {
  const replica = new Replica(KEEP, 0);
  replica.apply(cuts({ key: tenantKey(DEFAULT_TENANT), ...cutAll(11) }), 0);
  const older = session({ tenant: null });
  expect([replica.ends(older), replica.knows(older)]).toEqual([false, false]);
  expect(replica.ends(session({ tenant: DEFAULT_TENANT }))).toBe(true);
});
