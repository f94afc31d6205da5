import { type Cut, cutAll, cutOthers, isCut, keysOf, type SessionFacts } from '@curfew/protocol/cuts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Replica, watch } from '@curfew/protocol/replica';
import { type EndingFacts, endingOf } from '../../src/domain/event-ending.ts';

const A = '01890f3c-7c1e-7a52-9d0e-3b1f5c2a7e90';
const B = '01890f3c-7c1e-7a53-8d0e-4b1f5c2a7e91';
const C = '01890f3c-7c1e-7a54-ad0e-5b1f5c2a7e92';
const KEEP_MS = 1000;

/** A replica that is fed with events of the log. */
class Fed {
  readonly replica = new Replica(KEEP_MS, 0);
  add(event: EndingFacts, atMs = 0): void {
    this.replica.apply(endingOf(event), atMs);
  }
  has(session: SessionFacts): boolean {
    return this.replica.ends(watch(session));
  }
}

const nothing: EndingFacts = {
  position: 0,
  type: 'sessions_ended',
  scope: null,
  reason: 'logout',
  user_id: null,
  user_ids: null,
  session_ids: null,
  client_id: null,
  device_id: null,
  except_session: null,
  login: null,
  logins: null,
  tenant: null,
};
const session = (more: Partial<SessionFacts> = {}): SessionFacts => ({
  sid: A,
  subject: '1',
  clientId: 'shop',
  deviceId: 'phone',
  born: 5,
  login: null,
  tenant: 'default',
  ...more,
});

describe('the set of endings', () => {
  test.each<[string, Partial<EndingFacts>, SessionFacts[], SessionFacts[]]>([
    [
      'sessions',
      { scope: 'sessions', session_ids: [A, B], user_ids: [1] },
      [session(), session({ sid: B, subject: '2' })],
      [session({ sid: C })],
    ],
    [
      'a user',
      { scope: 'user', user_id: 1 },
      [session(), session({ sid: B, clientId: 'app', deviceId: 'x' })],
      [session({ subject: '2' }), session({ born: 10 }), session({ born: 11 })],
    ],
    [
      'users',
      { scope: 'users', user_ids: [1, 3] },
      [session(), session({ subject: '3' })],
      [session({ subject: '2' })],
    ],
    [
      'the others',
      { scope: 'others', user_id: 1, except_session: A },
      [session({ sid: B })],
      [session(), session({ sid: B, subject: '2' }), session({ sid: B, born: 12 })],
    ],
    [
      'a device',
      { scope: 'device', user_id: 1, device_id: 'phone' },
      [session(), session({ sid: B })],
      [session({ deviceId: 'laptop' }), session({ subject: '2' })],
    ],
    [
      'an application',
      { scope: 'client', client_id: 'shop' },
      [session(), session({ subject: '9' })],
      [session({ clientId: 'app' }), session({ born: 10 })],
    ],
    [
      'a grant',
      { scope: 'grant', user_id: 1, client_id: 'shop' },
      [session(), session({ sid: B, deviceId: 'x' })],
      [session({ subject: '2' }), session({ clientId: 'app' }), session({ born: 10 })],
    ],
    [
      'the others of a grant',
      { scope: 'grant', user_id: 1, client_id: 'shop', except_session: A },
      [session({ sid: B })],
      [session(), session({ sid: B, clientId: 'app' }), session({ sid: B, born: 12 })],
    ],
    [
      'everyone',
      { scope: 'everyone' },
      [session(), session({ subject: '9', clientId: 'x' })],
      [session({ born: 10 })],
    ],
    ['nobody: a user who changed', { type: 'user_changed', user_id: 1 }, [], [session()]],
  ])('%s', (_name, event, over, alive) => {
    const set = new Fed();
    for (const one of [...over, ...alive]) expect(set.has(one)).toBe(false);
    set.add({ ...nothing, position: 10, ...event });
    for (const one of over) expect([one, set.has(one)]).toEqual([one, true]);
    for (const one of alive) expect([one, set.has(one)]).toEqual([one, false]);
  });

  test('does not take a scope that it does not know for nobody', () => {
    expect(() => endingOf({ ...nothing, position: 3, scope: 'galaxy' })).toThrow('unknown scope: galaxy');
    expect(() => endingOf({ ...nothing, position: 3, scope: null })).toThrow('unknown scope');
  });

  test('names the users whose facts changed', () => {
    const changed = endingOf({ ...nothing, type: 'user_changed', position: 3, user_id: 1 });
    expect(changed).toEqual({ position: 3, ids: [], cuts: [], changed: ['1'] });
    const role = { ...nothing, position: 4, scope: 'others', reason: 'role_changed', user_id: 2 };
    expect(endingOf({ ...role, except_session: A }).changed).toEqual(['2']);
    expect(endingOf({ ...role, except_session: A, reason: 'logout' }).changed).toEqual([]);
  });

  test('forgets after a time, and nothing earlier', () => {
    const set = new Fed();
    set.add({ ...nothing, position: 10, scope: 'user', user_id: 1 });
    set.add({ ...nothing, position: 11, scope: 'sessions', user_ids: [2], session_ids: [B] });
    const known = (): boolean[] => [set.has(session()), set.has(session({ sid: B, subject: '2' }))];
    expect(known()).toEqual([true, true]);
    set.replica.forget(KEEP_MS);
    expect(known()).toEqual([true, true]);
    set.replica.forget(2 * KEEP_MS + 1);
    expect(known()).toEqual([false, false]);
  });

  const event: fc.Arbitrary<EndingFacts> = fc
    .tuple(
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom('sessions', 'user', 'others', 'device', 'client', 'everyone'),
      fc.integer({ min: 1, max: 2 }),
      fc.constantFrom(A, B),
      fc.constantFrom('phone', 'laptop'),
    )
    .map(([position, scope, user, sid, device]) => ({
      ...nothing,
      position,
      scope,
      ...(scope === 'sessions' ? { session_ids: [sid], user_ids: [user] } : {}),
      ...(scope === 'user' || scope === 'others' || scope === 'device' ? { user_id: user } : {}),
      ...(scope === 'others' ? { except_session: sid } : {}),
      ...(scope === 'device' ? { device_id: device } : {}),
      ...(scope === 'client' ? { client_id: 'shop' } : {}),
    }));
  const sessions = [A, B].flatMap((sid) =>
    ['1', '2'].flatMap((subject) =>
      ['phone', 'laptop'].flatMap((deviceId) =>
        [0, 3, 6, 9, 12].map((born) => session({ sid, subject, deviceId, born })),
      ),
    ),
  );
  const saysOver = (one: EndingFacts, of: SessionFacts): boolean => {
    const cut: Cut =
      one.scope === 'others' ? cutOthers(one.position, one.except_session ?? '') : cutAll(one.position);
    const keys: Record<string, string> = {
      user: `user:${one.user_id}`,
      others: `user:${one.user_id}`,
      device: `device:${one.user_id}:${one.device_id}`,
      client: 'client:shop',
      everyone: 'everyone',
    };
    const key = keys[one.scope ?? ''];
    if (one.scope === 'sessions') return one.session_ids?.includes(of.sid) === true;
    return key !== undefined && keysOf(of).includes(key) && isCut(cut, of);
  };

  test('is exactly what the events say, in any order, twice or once', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 8 }), (events) => {
        const [once, turned] = [new Fed(), new Fed()];
        for (const one of events) once.add(one);
        for (const one of [...events, ...events].reverse()) turned.add(one);
        for (const one of sessions) {
          const over = events.some((that) => saysOver(that, one));
          expect([one, once.has(one), turned.has(one)]).toEqual([one, over, over]);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
