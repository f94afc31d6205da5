/** A node whose database has gone back to an earlier state. */
import { cutAll } from '@curfew/protocol/cuts';
import type { Ending } from '@curfew/protocol/ending';
import { type Done, WentBack, type Propagation } from '@curfew/protocol/node';
import { beforeEach, describe, expect, test } from 'vitest';
import { session, sidOf } from './sessions.ts';
import {
  LEASE,
  LONGEST,
  backs,
  clock,
  database,
  endingOf,
  heard,
  node,
  openStage,
  read,
  rings,
  started,
} from './node-stage.ts';

beforeEach(openStage);

describe('a database that has gone back', () => {
  /** The next read returns this standing; the node registers in it anew, and reads from the beginning. */
  const beginAnew = (): void => {
    clock.pass(LEASE / 4);
    read([], '6');
  };

  beforeEach(() => {
    started();
    clock.pass(LEASE / 4);
    read([endingOf(2)], '5');
    expect(node.judge(session({ sid: sidOf(2) }))).toBe('ended');
    database.standing = { ...database.standing, beat: 7 };
    clock.pass(LEASE - LEASE / 4);
    while (database.has('readLog')) read([], '5');
    database.get('beat').answer({ raised: 8 });
    database.standing = { ...database.standing, beat: 8 };
    while (database.has('nodes')) database.get('nodes').answer({ nodes: [] });
  });

  test.each([
    { what: 'another server', standing: { foreign: true } },
    { what: 'an epoch of the same number', standing: { epoch: '1.b' } },
    { what: 'an older beat of this node', standing: { beat: 7 } },
    { what: 'a log that ends below the cursor', standing: { behind: true } },
  ])(
    'is noticed by $what, and the node is stale until it has read the history in a new epoch',
    ({ standing }) => {
      const before = { ...database.standing };
      Object.assign(database.standing, standing);
      beginAnew();
      expect([backs, node.epoch, node.isFresh(), node.replica.size().ids]).toEqual([1, null, false, 0]);
      const seen = 'epoch' in standing ? standing.epoch : '1.a';
      expect(database.get('newEpoch').id).toBe(`${seen} 1.a`);
      database.get('newEpoch').answer(undefined);
      database.standing = { ...before, epoch: '2.c', settled: false, beat: null };
      database.get('register').answer({ raised: 9 });
      database.standing = { ...database.standing, beat: 9 };
      expect([node.epoch, node.isFresh(), database.get('readLog').id]).toEqual(['2.c', false, null]);
      read([endingOf(3)], '2');
      expect(node.isFresh()).toBe(true);
      expect([2, 3].map((n) => node.judge(session({ sid: sidOf(n) })))).toEqual(['alive', 'ended']);
    },
  );

  test('with a new epoch that another node has recorded is joined', () => {
    database.standing = { ...database.standing, epoch: '2.z' };
    beginAnew();
    expect(database.has('newEpoch')).toBe(false);
    database.get('register').answer({ raised: 9 });
    database.standing = { ...database.standing, beat: 9 };
    read([], '2');
    expect([node.epoch, node.isFresh()]).toEqual(['2.z', true]);
  });

  test.each([
    ['read', () => read([endingOf(6)], '6')],
    ['committed here', () => read([], '6')],
  ])('reuses a position that was %s before: both endings count', (how, answer) => {
    clock.pass(LEASE / 4);
    answer();
    database.standing = { ...database.standing, epoch: '2.z' };
    clock.pass(LEASE / 4);
    if (how === 'committed here') node.committed(endingOf(6));
    expect(heard).toEqual([2, 6]);
    read([], '7');
    database.get('register').answer({ raised: 9 });
    database.standing = { ...database.standing, beat: 9 };
    read([endingOf(6, 60)], '2');
    expect(heard).toEqual([2, 6, 6]);
    expect([6, 60].map((n) => node.judge(session({ sid: sidOf(n) })))).toEqual(['alive', 'ended']);
  });

  test('voids answers to earlier questions, and an epoch that could not be recorded is not the old one', () => {
    node.confirm(() => undefined, []);
    const early = database.get('nodes');
    database.standing = { ...database.standing, beat: 3 };
    beginAnew();
    database.get('newEpoch').fail();
    early.answer({ nodes: [] });
    expect(node.epoch).toBeNull();
    clock.pass(LEASE / 4);
    expect(database.has('register')).toBe(false);
    expect(database.get('newEpoch').id).toBe('1.a 1.a');
  });

  test('is found by a caller that misses something certain', () => {
    node.foundBack();
    expect([backs, node.epoch, node.isFresh(), node.replica.size().ids]).toEqual([1, null, false, 0]);
    node.foundBack();
    expect(backs).toBe(1);
    clock.pass(LEASE / 4);
    expect(database.get('newEpoch').id).toBe('1.a 1.a');
  });

  test('is noticed by a closed node too: its registry is void, and its logouts fail', () => {
    node.close(() => undefined);
    let told: unknown;
    node.committed(endingOf(4));
    node.confirm((error, propagation) => (told = error ?? propagation), [endingOf(4)]);
    database.standing = { ...database.standing, foreign: true };
    database.get('nodes').answer({ nodes: [{ id: 'me', beat: 8 }] });
    expect(told).toBeUndefined();
    clock.pass(LONGEST);
    expect(told).toBeInstanceOf(WentBack);
    let failed: unknown;
    node.catchUp((error) => (failed = error));
    expect([String(failed), database.has('newEpoch')]).toEqual(['Error: this node is closed', false]);
  });

  test('has lost registrations: a logout takes the lease until the epoch is settled, which is after the lease', () => {
    database.standing = { ...database.standing, epoch: '2.z', settled: false };
    beginAnew();
    database.get('register').answer({ raised: 9 });
    database.standing = { ...database.standing, beat: 9 };
    read([], '2');
    let told: Propagation | null = null;
    node.committed(endingOf(4));
    node.confirm((_error, propagation) => (told = propagation ?? null), []);
    database.get('nodes').answer({ nodes: [{ id: 'me', beat: 9 }] });
    clock.pass(LONGEST - LEASE);
    expect(told).toBeNull();
    expect(database.has('settle')).toBe(false);
    clock.pass(LEASE);
    expect(told).toEqual({ acknowledged: 0, waitedOut: 0 });
    for (let beats = 0; beats < 3 && !database.has('settle'); beats++) {
      while (database.has('readLog')) read([], '2');
      while (database.has('beat')) database.get('beat').answer({ raised: 10 });
      while (database.has('nodes')) database.get('nodes').answer({ nodes: [] });
      clock.pass(LEASE);
    }
    expect(database.get('settle').id).toBe('2.z');
  });

  test('is not settled before every lease from before has expired, however often the node is asked', () => {
    database.standing = { ...database.standing, epoch: '2.z', settled: false };
    beginAnew();
    database.get('register').answer({ raised: 9 });
    database.standing = { ...database.standing, beat: 9 };
    const beganMs = clock.monotonicMs;
    let beats = 0;
    while (!database.has('settle') && clock.monotonicMs - beganMs < 10 * LEASE) {
      while (database.has('readLog')) read([], '2');
      while (database.has('beat')) {
        const raised = 10 + beats++;
        database.get('beat').answer({ raised });
        database.standing = { ...database.standing, beat: raised };
      }
      while (database.has('nodes')) database.get('nodes').answer({ nodes: [] });
      if (!database.has('settle')) clock.pass(LEASE / 4);
    }
    expect(database.has('settle')).toBe(true);
    expect(clock.monotonicMs - beganMs).toBeGreaterThan(LEASE);
    expect(beats).toBeGreaterThan(1);
  });

  describe('a logout under way when the database goes back', () => {
    const answers: unknown[] = [];
    const note: Done<Propagation> = (error, told) => answers.push(error ? (error as Error).name : told);
    const cut = (position: number): Ending => ({
      ...endingOf(position),
      ids: [],
      cuts: [{ key: 'user:1', ...cutAll(position) }],
    });
    /** The new history, read. */
    const history = (...endings: Ending[]): void => {
      database.standing = { ...database.standing, epoch: '2.z', settled: false };
      beginAnew();
      database.get('register').answer({ raised: 9 });
      database.standing = { ...database.standing, beat: 9 };
      read(endings, '2');
    };
    const confirming = (...endings: Ending[]): void => {
      answers.length = 0;
      node.committed(...endings);
      node.confirm(note, endings);
      database.get('nodes').answer({ nodes: [{ id: 'other', beat: 1 }] });
    };

    test.each([
      { what: 'its ending', has: [endingOf(4)], told: { acknowledged: 0, waitedOut: 1 } },
      { what: 'nothing of it', has: [endingOf(5)], told: 'WentBack' },
    ])('is confirmed or fails as the history has $what', ({ has, told }) => {
      confirming(endingOf(4));
      history(...has);
      expect(answers).toEqual([]);
      clock.pass(LONGEST);
      expect(answers).toEqual([told]);
    });

    test.each([
      { what: 'a later cut of the same', has: [cut(40)], told: { acknowledged: 0, waitedOut: 1 } },
      { what: 'an earlier cut of the same', has: [cut(3)], told: 'WentBack' },
      { what: 'no cut', has: [], told: 'WentBack' },
    ])('by a cut, as the history has $what', ({ has, told }) => {
      confirming(cut(4));
      history(...has);
      clock.pass(LONGEST);
      expect(answers).toEqual([told]);
    });

    test('fails when the history is not read in time', () => {
      confirming(endingOf(4));
      database.standing = { ...database.standing, epoch: '2.z', settled: false };
      beginAnew();
      clock.pass(LONGEST);
      expect(answers).toEqual(['WentBack']);
    });

    test('fails when it also changes a user, which no memory can confirm', () => {
      confirming({ ...endingOf(4), changed: ['1'] });
      history({ ...endingOf(4), changed: ['1'] });
      clock.pass(LONGEST);
      expect(answers).toEqual(['WentBack']);
    });

    test('fails when it confirms other processes’ endings', () => {
      answers.length = 0;
      node.confirmEarlier(note);
      history(endingOf(4));
      if (database.has('nodes')) database.get('nodes').answer({ nodes: [] });
      clock.pass(LONGEST);
      expect(answers).toEqual(['WentBack']);
    });

    test('fails when the new epoch is not known yet', () => {
      answers.length = 0;
      database.standing = { ...database.standing, epoch: '2.z', settled: false };
      beginAnew();
      node.committed(endingOf(4));
      node.confirm(note, [endingOf(4)]);
      database.get('register').answer({ raised: 9 });
      database.standing = { ...database.standing, beat: 9 };
      while (database.has('readLog')) read([], '2');
      clock.pass(LONGEST);
      expect(answers).toEqual(['WentBack']);
    });
  });

  test('a commit while the new epoch is determined is left to the history', () => {
    database.standing = { ...database.standing, epoch: '2.z' };
    beginAnew();
    node.committed(endingOf(4));
    expect(node.replica.size().ids).toBe(0);
  });

  test('a ring of another epoch is not acknowledged', () => {
    node.heard({ ring: 5, from: 'one', epoch: '2.z' });
    read([], '5');
    expect(rings).toEqual([]);
    node.heard({ ring: 6, from: 'one', epoch: '1.a' });
    read([], '5');
    expect(rings.length).toBeGreaterThan(0);
  });
});
