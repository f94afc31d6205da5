/** A node: when it is fresh, and what it waits for before it confirms a logout. */
import type { NodeMessage } from '@curfew/protocol/feed-messages';
import { type Propagation } from '@curfew/protocol/node';
import { beforeEach, describe, expect, test } from 'vitest';
import { session, sidOf } from './sessions.ts';
import {
  LEASE,
  LONGEST,
  backs,
  clock,
  database,
  endingOf,
  gaps,
  heard,
  live,
  node,
  openStage,
  read,
  rings,
  started,
  troubles,
} from './node-stage.ts';

beforeEach(openStage);

describe('being fresh', () => {
  test('the node registers before it reads, and is fresh as of the question', () => {
    let answered = false;
    node.start(() => {
      answered = true;
    });
    expect(database.asked.map(({ what }) => what)).toEqual(['register']);
    database.get('register').answer({ raised: 1 });
    expect(database.get('readLog').id).toBeNull();
    clock.pass(300);
    expect([node.isFresh(), answered]).toEqual([false, false]);
    read([endingOf(5)], '17');
    expect([node.ageMs(), answered]).toEqual([300, true]);
    expect(heard).toEqual([5]);
    expect(node.judge(session({ sid: sidOf(5) }))).toBe('ended');
    expect(node.judge(session())).toBe('alive');
    clock.pass(250);
    expect(database.get('readLog').id).toBe('17');
    clock.pass(450);
    expect(node.judge(session())).toBe('unsure');
    expect(node.judge(session({ sid: sidOf(5) }))).toBe('ended');
  });

  test('a process suspended during the look into the replica finds the lease expired', () => {
    started();
    const { facts, id, keys, login } = session();
    const held = {
      facts,
      keys,
      login,
      get id() {
        clock.monotonicMs += LEASE;
        return id;
      },
    };
    expect(node.judge(held)).toBe('unsure');
  });

  test('a failed read proves nothing, and a commit meanwhile is announced once', () => {
    started();
    clock.pass(250);
    node.committed(endingOf(9));
    database.get('readLog').fail();
    expect(node.ageMs()).toBe(250);
    clock.pass(250);
    read([endingOf(9)]);
    expect(node.ageMs()).toBe(0);
    clock.pass(250);
    read([endingOf(9), endingOf(8)]);
    expect(heard).toEqual([9, 8]);
    node.committed(endingOf(8));
    expect(heard).toEqual([9, 8]);
  });

  test('the node trusts its registration for three leases after its last beat', () => {
    started();
    live(3 * LEASE - 50, false);
    expect(node.isFresh()).toBe(true);
    live(50, false);
    expect(node.isFresh()).toBe(false);
    database.get('beat').answer({ raised: 1 });
    // It was sent two leases ago.
    live(900, false);
    expect(node.isFresh()).toBe(true);
    live(100, false);
    expect(node.isFresh()).toBe(false);
  });

  test('the registration is not trusted after a sleep in which the monotonic clock stopped', () => {
    started();
    live(LEASE);
    clock.sleep(3 * LEASE);
    clock.pass(250);
    while (database.has('readLog')) read();
    expect(node.isFresh()).toBe(false);
    live(LEASE);
    expect(node.isFresh()).toBe(true);
  });

  test('a deregistered node forgets, registers anew, and voids earlier reads', () => {
    started();
    live(950);
    clock.pass(50);
    database.get('beat').answer({ beat: null });
    expect([gaps, node.isFresh()]).toEqual([2, false]);
    while (database.has('readLog')) read();
    clock.pass(250);
    database.get('register').answer({ raised: 1 });
    expect([gaps, node.isFresh()]).toEqual([3, false]);
    read();
    expect(node.isFresh()).toBe(true);
  });

  test('a read that finds the node deregistered registers it anew, from any beat', () => {
    node.start(() => undefined);
    database.get('register').answer({ raised: 8 });
    database.standing = { ...database.standing, beat: 8 };
    read();
    clock.pass(LEASE / 4);
    database.standing = { ...database.standing, beat: null };
    read();
    expect([gaps, troubles, node.isFresh()]).toEqual([2, ['taken-out'], false]);
    database.get('register').answer({ raised: 1 });
    database.standing = { ...database.standing, beat: 1 };
    read();
    expect([backs, node.isFresh()]).toEqual([0, true]);
  });

  test('verifiers get the age by the clock that advanced further, and nothing while the node is stale', () => {
    started();
    const ages: number[] = [];
    const feed = node.publisher.join((message) => message.t === 'renewed' && ages.push(message.age));
    clock.pass(100);
    clock.sleep(300);
    node.renew(feed, 1);
    expect(ages).toEqual([400]);
    clock.sleep(600);
    node.renew(feed, 2);
    expect(ages).toEqual([400]);
  });

  test('a logout takes the lease until the epoch of the node’s start is settled', () => {
    database.standing = { ...database.standing, settled: false };
    started();
    const told: unknown[] = [];
    node.committed(endingOf(4));
    node.confirm((_error, propagation) => told.push(propagation), []);
    database.get('nodes').answer({ nodes: [] });
    expect(told).toEqual([]);
    clock.pass(LONGEST);
    expect(told).toEqual([{ acknowledged: 0, waitedOut: 0 }]);
  });

  test('an own commit is taken in, unless its epoch is not known yet', () => {
    expect(node.committed(endingOf(9))).toBe(false);
    started();
    expect(node.committed(endingOf(9))).toBe(true);
  });

  test('a later failed read is reported as trouble with the log', () => {
    started();
    clock.pass(LEASE / 4);
    expect(troubles).toEqual([]);
    database.get('readLog').fail();
    expect(troubles).toEqual(['log']);
  });

  test('a node closed before its registration was answered reports it', () => {
    let failed: unknown;
    node.start((error) => {
      failed = error;
    });
    node.close(() => undefined);
    database.get('register').answer({ raised: 1 });
    expect(failed).toEqual(new Error('this node is closed'));
    expect(database.asked).toEqual([]);
  });

  test('an answer that knows less than the node’s registration shows that the database went back', () => {
    node.start(() => undefined);
    database.get('register').answer({ raised: 5 });
    database.standing = { ...database.standing, beat: 5 };
    read();
    expect([backs, node.epoch]).toEqual([0, '1.a']);
    database.standing = { ...database.standing, beat: 4 };
    clock.pass(LEASE / 4);
    read();
    expect([backs, node.epoch]).toEqual([1, null]);
  });
});

describe('confirming', () => {
  let told: Propagation | null;
  const confirm = (): void => {
    told = null;
    node.confirm((_error, propagation) => {
      told = propagation ?? null;
    }, []);
  };
  const registry = (...ids: string[]): void =>
    database.get('nodes').answer({ nodes: [{ id: 'me', beat: 1 }, ...ids.map((id) => ({ id, beat: 1 }))] });

  beforeEach(() => {
    started();
    node.committed(endingOf(1));
  });

  test('a lone node confirms when it has read the registry', () => {
    confirm();
    expect(told).toBeNull();
    registry();
    expect(told).toEqual({ acknowledged: 0, waitedOut: 0 });
    expect(rings).toEqual([]);
  });

  test('other nodes are rung, and must acknowledge for themselves and their verifiers', () => {
    confirm();
    registry('one', 'two');
    expect(rings).toEqual([{ ring: 1, from: 'me', epoch: '1.a' }]);
    node.heard({ ack: 1, from: 'one', to: 'me', over: false, acknowledged: 1, missing: 1 });
    node.heard({ ack: 1, from: 'two', to: 'me', over: true, acknowledged: 0, missing: 0 });
    // For another node, for an earlier ring, or from a node that was not asked.
    node.heard({ ack: 1, from: 'one', to: 'you', over: true, acknowledged: 9, missing: 0 });
    node.heard({ ack: 0, from: 'one', to: 'me', over: true, acknowledged: 9, missing: 0 });
    node.heard({ ack: 1, from: 'three', to: 'me', over: true, acknowledged: 9, missing: 0 });
    expect(told).toBeNull();
    node.heard({ ack: 1, from: 'one', to: 'me', over: true, acknowledged: 1, missing: 1 });
    expect(told).toEqual({ acknowledged: 3, waitedOut: 1 });
  });

  test('an acknowledgement of a ring that was never sent, or an invalid text, is ignored', () => {
    confirm();
    registry('one');
    const ack = { ack: 1, from: 'one', to: 'me', over: true, acknowledged: 0, missing: 0 };
    const nonsense: unknown[] = [
      null,
      undefined,
      1,
      'ring',
      [],
      {},
      { ring: null, from: 'one' },
      { ring: Number.NaN, from: 'one' },
      { ring: 2 ** 53, from: 'one' },
      { ring: 1, from: null },
      { ring: 1 },
      { ...ack, ack: 2 },
      { ...ack, ack: Number.MAX_SAFE_INTEGER },
      { ...ack, ack: Number.POSITIVE_INFINITY },
      { ...ack, ack: Number.NaN },
      { ...ack, ack: '1' },
      { ...ack, over: 1 },
      { ...ack, from: ['one'] },
      { ...ack, from: '__proto__' },
      { ...ack, acknowledged: Number.NaN },
      { ...ack, missing: -1 },
    ];
    for (const message of nonsense) node.heard(message);
    expect([told, database.has('readLog')]).toEqual([null, false]);
    node.heard(ack);
    expect(told).toEqual({ acknowledged: 1, waitedOut: 0 });
  });

  test('an early acknowledgement that arrives late changes nothing', () => {
    confirm();
    registry('one', 'two');
    node.heard({ ack: 1, from: 'one', to: 'me', over: true, acknowledged: 2, missing: 0 });
    node.heard({ ack: 1, from: 'one', to: 'me', over: false, acknowledged: 0, missing: 2 });
    node.heard({ ack: 1, from: 'two', to: 'me', over: true, acknowledged: 0, missing: 0 });
    expect(told).toEqual({ acknowledged: 4, waitedOut: 0 });
  });

  test.each([
    ['a node that says nothing', () => registry('one')],
    ['a registry that cannot be read', () => database.get('nodes').fail()],
    ['a registry that does not answer', () => undefined],
  ])('lease and margin end the wait for %s', (_, what) => {
    confirm();
    what();
    clock.pass(LONGEST - 1);
    expect(told).toBeNull();
    clock.pass(1);
    expect(told).not.toBeNull();
  });

  test('a read of the registry from before the commit serves no later caller', () => {
    confirm();
    const early = database.get('nodes');
    let later: Propagation | null = null;
    node.confirm((_error, propagation) => {
      later = propagation ?? null;
    }, []);
    early.answer({ nodes: [] });
    expect([told, later]).toEqual([{ acknowledged: 0, waitedOut: 0 }, null]);
    registry('one');
    expect(later).toBeNull();
  });

  test('the node’s own verifiers are waited for', () => {
    const feed = node.publisher.join(() => undefined);
    node.renew(feed, 1);
    node.committed(endingOf(2));
    confirm();
    registry();
    expect(told).toBeNull();
    node.publisher.acknowledge(feed, 2);
    expect(told).toEqual({ acknowledged: 1, waitedOut: 0 });
  });

  test('endings that were committed or read together go to the verifiers as one message', () => {
    const messages: NodeMessage[] = [];
    node.publisher.join((message) => messages.push(message));
    node.committed(endingOf(2), endingOf(3));
    clock.pass(250);
    read([endingOf(1), endingOf(2), endingOf(3), endingOf(4), endingOf(5)]);
    node.committed(endingOf(5), endingOf(6));
    const ids = (...of: number[]): string[] => of.map((n) => sidOf(n));
    expect(messages).toMatchObject([
      { t: 'ending', seq: 2, ids: ids(2, 3) },
      { t: 'ending', seq: 3, ids: ids(4, 5) },
      { t: 'ending', seq: 4, ids: ids(6) },
    ]);
    expect(heard).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('another process’s ending is read before its holders are asked', () => {
    const feed = node.publisher.join(() => undefined);
    node.renew(feed, 1);
    node.publisher.acknowledge(feed, 1);
    told = null;
    node.confirmEarlier((_error, propagation) => {
      told = propagation ?? null;
    });
    read([endingOf(2)]);
    registry();
    expect(told).toBeNull();
    node.publisher.acknowledge(feed, 2);
    expect(told).toEqual({ acknowledged: 1, waitedOut: 0 });
  });

  test('another process’s ending that cannot be read is confirmed after the lease', () => {
    told = null;
    node.confirmEarlier((_error, propagation) => {
      told = propagation ?? null;
    });
    clock.pass(LONGEST - 1);
    expect(told).toBeNull();
    clock.pass(1);
    expect(told).not.toBeNull();
  });
});

test('a closing node renews nobody, and answers when no verifier trusts itself', () => {
  started();
  const messages: string[] = [];
  const feed = node.publisher.join((message) => messages.push(message.t));
  node.renew(feed, 1);
  let closed = false;
  node.close(() => {
    closed = true;
  });
  node.renew(feed, 2);
  expect(messages).toEqual(['renewed']);
  live(LEASE);
  expect([closed, node.isFresh()]).toEqual([false, true]);
  live(100);
  expect([closed, node.isFresh()]).toEqual([true, false]);
  node.heard({ ring: 1, from: 'one' });
  clock.pass(10 * LEASE);
  expect(database.has('readLog')).toBe(false);
});
