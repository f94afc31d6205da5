import { describe, expect, test } from 'vitest';
import type { Cover, Line } from '../lines.ts';
import { answer, check, fault, judged, lastLook, login, logout, rules, us } from './made-lines.ts';

describe('accepts', () => {
  const ended = [login(1), logout(1, { s: [1] }, 100), answer(1, 110)];

  test('before the answer, and across it: in order', () => {
    const { violations, straddling } = judged(
      ...ended,
      check(1, 50, 51, 'memory'),
      check(1, 105, 106, 'yes', 'node2'),
      check(1, 109, 113, 'memory'),
      check(1, 111, 112, 'ended'),
    );
    expect([violations, straddling]).toEqual([[], { count: 1, fromMemory: 1, longestMs: 3 }]);
  });

  test.each(['memory', 'authority', 'yes'])('begun after the answer (%s): late', (o) => {
    const { violations } = judged(...ended, check(1, 111, 112, o));
    expect(violations.map(({ rule }) => rule)).toEqual(['G1']);
    expect(violations[0]?.proof.map(({ t }) => t)).toEqual(['login', 'logout', 'answer', 'c']);
  });

  test('of the believer: counted, and no violation; before the answer it is not even late', () => {
    const believer = (fromMs: number, toMs: number, o: string): Line => ({
      ...check(1, fromMs, toMs, o),
      t: 'believer',
    });
    const { violations, believed } = judged(
      ...ended,
      believer(50, 51, 'memory'),
      believer(105, 112, 'memory'),
      believer(111, 112, 'memory'),
      believer(113, 114, 'ended'),
    );
    expect([violations, believed]).toEqual([[], 1]);
  });

  test('of a logout that was not waited for: late when the lease has run out, and not before', () => {
    const lines = [login(1), logout(1, { s: [1] }, 100), answer(1, 110, { confirmed: false })];
    expect(rules(...lines, check(1, 111, 112, 'memory'), check(1, 844, 846, 'memory'))).toEqual([]);
    expect(rules(...lines, check(1, 846, 847, 'memory'))).toEqual(['G1']);
  });

  test.each<[string, Cover, number]>([
    ['a user', { user: 1 }, 1],
    ['the others', { user: 1, except: 2 }, 1],
    ['a device', { user: 1, device: 'laptop' }, 1],
    ['users', { users: [3, 1] }, 1],
    ['an application', { client: 'default' }, 1],
    ['everyone', { everyone: true }, 1],
    ['another user', { user: 2 }, 0],
    ['all but this one', { user: 1, except: 1 }, 0],
    ['another device', { user: 1, device: 'phone' }, 0],
    ['the same device of another user', { user: 2, device: 'laptop' }, 0],
    ['another application', { client: 'kiosk' }, 0],
    ['another session', { s: [2] }, 0],
  ])('a logout of %s', (_, cover, late) => {
    expect(rules(login(1), logout(1, cover, 100), answer(1, 110), check(1, 120, 121, 'memory'))).toHaveLength(
      late,
    );
  });

  test('of a session that was opened while or after everything was logged out', () => {
    const cut = [logout(1, { user: 1 }, 100), answer(1, 110)];
    const during = login(1, { sent: us(95), got: us(105) });
    const after = login(2, { sent: us(111), got: us(115) });
    expect(rules(during, after, ...cut, check(1, 120, 121, 'yes'), check(2, 120, 121, 'yes'))).toEqual([]);
    // The first may have been born below the cut; the second may not.
    expect(rules(during, ...cut, check(1, 120, 121, 'ended'))).toEqual([]);
    expect(rules(after, ...cut, check(2, 120, 121, 'ended'))).toEqual(['wrong end']);
  });

  test('after somebody found it over: back, when a lease has passed, or at once at the same verifier', () => {
    const lost = [login(1), logout(1, { s: [1] }, 100), answer(1, 5000, { status: 0, confirmed: false })];
    const found = check(1, 200, 210, 'ended', 'v1');
    expect(rules(...lost, found, check(1, 220, 221, 'memory', 'v2'))).toEqual([]);
    expect(rules(...lost, found, check(1, 960, 961, 'memory', 'v2'))).toEqual(['came back']);
    expect(rules(...lost, found, check(1, 211, 212, 'memory', 'v1'))).toEqual(['came back']);
  });

  test('as another session', () => {
    expect(rules(login(1), check(1, 50, 51, 'wrong'))).toEqual(['wrong session']);
  });
});

describe('refusals', () => {
  test.each(['ended', 'unknown', 'no'])('%s of a session that nobody logged out', (o) => {
    expect(rules(login(1), check(1, 50, 51, o))).toEqual(['wrong end']);
    expect(rules(login(1), logout(1, { s: [1] }, 100), answer(1, 110), check(1, 50, 51, o))).toEqual([
      'wrong end',
    ]);
    expect(rules(login(1), logout(1, { s: [1] }, 49), answer(1, 110), check(1, 50, 51, o))).toEqual([]);
  });

  test('of a logout that was refused itself', () => {
    const refused = answer(1, 110, { status: 401, confirmed: false });
    expect(rules(login(1), logout(1, { user: 1 }, 100), refused, check(1, 120, 121, 'no'))).toEqual([
      'wrong end',
    ]);
  });

  test('for what a credential of ours never is', () => {
    expect(rules(login(1), check(1, 50, 51, 'bad_signature'))).toEqual(['credential']);
    expect(rules(login(1), check(1, 50, 51, 'stale'), check(1, 50, 51, 'unavailable'))).toEqual([]);
  });
});

describe('refreshes', () => {
  const refresh = (sentMs: number, status: number): Line => ({
    t: 'refresh',
    s: 1,
    node: 'node1',
    sent: us(sentMs),
    got: us(sentMs + 5),
    status,
  });
  const ended = [login(1), logout(1, { s: [1] }, 100), answer(1, 110, { confirmed: false })];

  test('after the logout was answered', () => {
    expect(rules(...ended, refresh(105, 200), refresh(111, 401))).toEqual([]);
    expect(rules(...ended, refresh(111, 200))).toEqual(['refresh']);
  });

  test('refused to a session that lives', () => {
    expect(rules(...ended, refresh(50, 401))).toEqual(['wrong end']);
  });
});

describe('a database that went back', () => {
  /** Commits between the first and the second instant are lost. At the third the other database begins to serve. */
  const lost = (fromMs: number, toMs: number, backMs = toMs + 50): Line => ({
    t: 'lost',
    from: us(fromMs),
    to: us(toMs),
    back: us(backMs),
  });
  const ended = [login(1), logout(1, { s: [1] }, 100), answer(1, 110)];

  test('a logout that it may have lost proves nothing; one that was sent afterwards counts in full', () => {
    expect(rules(...ended, lost(90, 200), check(1, 150, 151, 'ended'), check(1, 2000, 2001, 'yes'))).toEqual(
      [],
    );
    expect(rules(...ended, lost(200, 300), check(1, 2000, 2001, 'yes'))).toEqual(['G1']);
    const again = [logout(2, { s: [1] }, 210), answer(2, 220)];
    expect(rules(...ended, lost(90, 200), ...again, check(1, 221, 222, 'memory'))).toEqual(['G1']);
    // A logout that was sent before and answered after it may belong to either history.
    const across = [logout(1, { s: [1] }, 100), answer(1, 300)];
    expect(rules(login(1), ...across, lost(90, 200), check(1, 2000, 2001, 'yes'))).toEqual([]);
  });

  test('a session that it may have lost may be refused; one that lived before may not', () => {
    const early = login(1);
    const during = login(2, { sent: us(1000), got: us(1010) });
    const no = (s: number): Line => check(s, 1500, 1501, 'unknown');
    expect(rules(during, lost(990, 1200), no(2))).toEqual([]);
    expect(rules(early, lost(990, 1200), no(1))).toEqual(['wrong end']);
  });

  test('one that was opened just afterwards may be refused by a lost cut, until all is healed', () => {
    const opened = (atMs: number): Line => login(3, { sent: us(atMs), got: us(atMs + 10) });
    const no = (atMs: number): Line => check(3, atMs, atMs + 1, 'ended');
    const last: Line = { t: 'mark', what: 'last look begins', at: us(9000) };
    const loss = lost(990, 1200, 1300);
    expect(
      rules(
        opened(1310),
        loss,
        no(1400),
        check(3, 1500, 1501, 'memory'),
        no(1600),
        last,
        check(3, 9001, 9002, 'yes'),
      ),
    ).toEqual([]);
    expect(rules(opened(1310), loss, last, no(9001))).toEqual(['wrong end']);
    // By then a node has read the database, and every new session is born above the lost cuts.
    const confirmed = (atMs: number): Line[] => [login(4), logout(4, { s: [4] }, 1310), answer(4, atMs)];
    expect(rules(opened(6400), loss, ...confirmed(1400), no(6500))).toEqual(['wrong end']);
    // Unless everything takes that long on this machine.
    expect(rules(opened(6400), loss, no(6500))).toEqual([]);
    expect(rules(opened(6400), loss, ...confirmed(6450), no(6500))).toEqual([]);
    // A session that has ended stays ended.
    const gone = [logout(1, { s: [3] }, 1500), answer(1, 1510)];
    expect(rules(opened(1310), loss, ...gone, check(3, 1520, 1521, 'yes'))).toEqual(['G1']);
  });

  test('a refresh token that it may have lost may be refused', () => {
    const refresh = (sentMs: number, status: number): Line => ({
      t: 'refresh',
      s: 1,
      node: 'node1',
      sent: us(sentMs),
      got: us(sentMs + 5),
      status,
    });
    expect(rules(login(1), lost(990, 1200), refresh(1000, 200), refresh(2000, 401))).toEqual([]);
    expect(rules(login(1), lost(990, 1200), refresh(900, 200), refresh(2000, 401))).toEqual(['wrong end']);
    expect(rules(login(1), lost(990, 1200), refresh(900, 401), refresh(1000, 200))).toEqual(['wrong end']);
  });
});

describe('the last look', () => {
  const failed = [
    logout(1, { user: 1 }, 100),
    answer(1, 110, { status: 503, confirmed: false }),
    lastLook(5000),
  ];
  const two = [login(1), login(2)];

  test('a failed logout has happened in full or not at all', () => {
    const look = (first: string, second: string): string[] =>
      rules(...two, ...failed, check(1, 5001, 5002, first), check(2, 5001, 5002, second));
    expect(look('yes', 'memory')).toEqual([]);
    expect(look('no', 'ended')).toEqual([]);
    expect(look('yes', 'ended')).toEqual(['half']);
    // A session that something else may have ended proves nothing.
    const other = [logout(2, { s: [2] }, 90), answer(2, 95)];
    expect(
      rules(...two, ...failed, ...other, check(1, 5001, 5002, 'yes'), check(2, 5001, 5002, 'no')),
    ).toEqual([]);
  });

  test('all replicas answer, and agree', () => {
    expect(
      rules(...two.slice(0, 1), ...failed, check(1, 5001, 5002, 'yes'), check(1, 5001, 5002, 'no')),
    ).toEqual(['agreement']);
    expect(
      rules(login(1), lastLook(5000), check(1, 5001, 5002, 'yes'), check(1, 5001, 5002, 'stale', 'v2')),
    ).toEqual(['healing']);
    // The repeated check can.
    expect(
      rules(
        login(1),
        lastLook(5000),
        check(1, 5001, 5002, 'unavailable', 'v2'),
        check(1, 5201, 5202, 'yes', 'v2'),
      ),
    ).toEqual([]);
    expect(rules(login(1), lastLook(5000))).toEqual(['history']);
  });
});

describe('the time that a logout takes', () => {
  const slow = (ms: number): Line[] => [
    login(1),
    logout(1, { s: [1] }, 20_000),
    answer(1, 20_000 + ms, { ms }),
  ];

  test('beyond the lease, the margin and a commit: only with a fault in its way', () => {
    expect(rules(...slow(5700))).toEqual([]);
    expect(rules(...slow(5800))).toEqual(['G2']);
    const lost = answer(1, 30_000, { status: 0, confirmed: false, ms: null });
    expect(rules(login(1), logout(1, { s: [1] }, 20_000), lost)).toEqual(['G2']);
    expect(rules(...slow(5800), ...fault(1, 'kill-postgres', ['postgres'], 19_000, 20_500))).toEqual([]);
    expect(rules(...slow(11_000), ...fault(1, 'stop-node', ['node1'], 25_500, 25_600))).toEqual([]);
    expect(rules(...slow(11_000), ...fault(1, 'stop-node', ['node1'], 20_100, 21_000))).toEqual(['G2']);
    expect(rules(...slow(5800), ...fault(1, 'hole', ['node1-postgres'], 14_000, 15_000))).toEqual(['G2']);
    expect(rules(...slow(5800), ...fault(1, 'hole', ['node2-postgres'], 19_000, 25_500))).toEqual(['G2']);
  });

  test('leaves out the time that the node or the client waited for a processor', () => {
    const waited = (who: string, fromMs: number, forMs: number): Line => ({
      t: 'waited',
      who,
      from: us(fromMs),
      at: us(fromMs + 1000),
      us: us(forMs),
    });
    expect(rules(...slow(6500), waited('node1', 21_000, 800))).toEqual([]);
    expect(rules(...slow(6500), waited('node1', 21_000, 400), waited('clients', 22_000, 400))).toEqual([]);
    expect(rules(...slow(6500), waited('node1', 21_000, 700))).toEqual(['G2']);
    expect(rules(...slow(6500), waited('node2', 21_000, 800))).toEqual(['G2']);
    expect(rules(...slow(6500), waited('node1', 18_000, 800))).toEqual(['G2']);
    expect(rules(...slow(6500), waited('node1', 27_000, 800))).toEqual(['G2']);
  });

  test('an instant far from every fault is calm', () => {
    expect(judged(...slow(5)).speed.calm.count).toBe(1);
    const { speed } = judged(...slow(5), ...fault(1, 'slow', ['v1-node1'], 15_000, 17_500));
    expect([speed.calm.count, speed.faults.count]).toEqual([0, 1]);
  });
});
