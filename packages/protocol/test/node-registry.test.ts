/** A node and the other nodes of its registry, and one that is alone. */
import { Node, type Propagation } from '@curfew/protocol/node';
import { beforeEach, describe, expect, test } from 'vitest';
import { session, sidOf } from './sessions.ts';
import {
  LEASE,
  LONGEST,
  clock,
  database,
  endingOf,
  node,
  openStage,
  read,
  rings,
  started,
} from './node-stage.ts';

beforeEach(openStage);

describe('the other nodes', () => {
  beforeEach(started);

  test('a ring is acknowledged after a read that began after it', () => {
    clock.pass(250);
    node.heard({ ring: 4, from: 'one' });
    // The read under way may have missed the commit that it was rung for.
    read();
    expect(rings).toEqual([]);
    read([endingOf(3)]);
    expect(rings).toEqual([{ ack: 4, from: 'me', to: 'one', over: true, acknowledged: 0, missing: 0 }]);
    node.heard({ ring: 5, from: 'one' });
    database.get('readLog').fail();
    expect(rings).toHaveLength(1);
    node.heard({ ring: 6, from: 'me' });
    expect(database.has('readLog')).toBe(false);
  });

  test('a ring is acknowledged twice when verifiers are still waited for', () => {
    const feed = node.publisher.join(() => undefined);
    node.renew(feed, 1);
    node.heard({ ring: 4, from: 'one' });
    read([endingOf(3)]);
    expect(rings).toEqual([{ ack: 4, from: 'me', to: 'one', over: false, acknowledged: 0, missing: 1 }]);
    node.publisher.acknowledge(feed, 1);
    expect(rings[1]).toEqual({ ack: 4, from: 'me', to: 'one', over: true, acknowledged: 1, missing: 0 });
  });

  /** Beats once, with this registry as the answer, and this delay. */
  function beat(other: number | null, lateMs = 0): void {
    while (!database.has('beat')) {
      clock.pass(50);
      while (database.has('readLog')) read();
    }
    database.get('beat').answer({ raised: 1 });
    clock.pass(lateMs);
    while (database.has('readLog')) read();
    database.get('nodes').answer({ nodes: other === null ? [] : [{ id: 'one', beat: other }] });
  }

  test('a node whose beat has not moved for more than five leases is deregistered', () => {
    beat(1);
    for (let i = 0; i < 5; i++) beat(1);
    expect(database.has('takeOut')).toBe(false);
    beat(1);
    expect(database.get('takeOut').id).toBe('one');
    database.get('takeOut').answer(true);
    expect(node.others).toBe(1);
    beat(null);
    expect(node.others).toBe(0);
  });

  test('observations of a node are dropped with its registration, and when the database goes back', () => {
    const look = (...nodes: { id: string; beat: number }[]): void => {
      clock.pass(LEASE);
      while (database.has('readLog')) read();
      database.get('beat').answer({ raised: 1 });
      database.get('nodes').answer({ nodes });
    };
    look({ id: 'other', beat: 3 });
    expect(node.stillMs('other')).toBe(0);
    look();
    expect(node.stillMs('other')).toBeUndefined();
    look({ id: 'other', beat: 3 });
    expect(node.stillMs('other')).toBe(0);
    node.foundBack();
    expect(node.stillMs('other')).toBeUndefined();
  });

  test('a beat counts from the registry’s answer: it may have been sent as late as that', () => {
    // The registry is asked, and its answer, in which the beat has moved, comes two leases later.
    clock.pass(LEASE);
    database.get('beat').answer({ raised: 1 });
    clock.pass(2 * LEASE);
    database.get('nodes').answer({ nodes: [{ id: 'other', beat: 1 }] });
    // Asked five leases and a little after the first question, not after its answer.
    const ask = (): void => {
      while (database.has('readLog')) read();
      while (database.has('beat')) database.get('beat').answer({ raised: 1 });
      while (database.has('nodes')) database.get('nodes').answer({ nodes: [{ id: 'other', beat: 1 }] });
    };
    for (let i = 0; i < 5; i++) {
      clock.pass(LEASE);
      ask();
    }
    expect(database.has('takeOut')).toBe(false);
    clock.pass(LEASE);
    ask();
    expect(database.get('takeOut').id).toBe('other');
  });

  test('a node whose beat moves stays, and one first seen late counts from then', () => {
    for (let i = 0; i < 12; i++) beat(i);
    expect(database.has('takeOut')).toBe(false);
    // The registry was asked, and answered 900 ms later: the beat in it may have been sent as late as that.
    beat(50, 900);
    for (let i = 0; i < 5; i++) beat(50);
    expect(database.has('takeOut')).toBe(false);
    beat(50);
    expect(database.has('takeOut')).toBe(true);
  });
});

describe('a sole node', () => {
  let sole: Node;
  let ready: boolean;
  /** @param left nodes that are in the registry beside it */
  const start = (left: readonly { id: string; beat: number }[]): void => {
    ready = false;
    sole = new Node(
      'sole',
      {
        now: () => clock.now(),
        after: (ms, work) => clock.after(ms, work),
        every: (ms, work) => clock.every(ms, work),
        authorityNowMs: () => clock.wallMs,
        database,
        ring: () => undefined,
        onEnding: () => undefined,
        onGap: () => undefined,
        onBack: () => undefined,
        onTrouble: () => undefined,
      },
      { leaseMs: LEASE, keepMs: 1e6, sole: true },
    );
    expect(sole.isFresh()).toBe(false);
    sole.start((error) => (ready = !error));
    database.get('register').answer({ raised: 1 });
    read([endingOf(1)]);
    expect(ready).toBe(false);
    database.get('nodes').answer({ nodes: [...left, { id: 'sole', beat: 9 }] });
  };

  test('reads once, and stays fresh', () => {
    start([]);
    expect(ready).toBe(true);
    clock.pass(100 * LEASE);
    clock.sleep(100 * LEASE);
    expect(sole.isFresh()).toBe(true);
    expect(database.asked).toEqual([]);
    sole.committed(endingOf(2));
    expect([1, 2, 3].map((n) => sole.judge(session({ sid: sidOf(n) })))).toEqual(['ended', 'ended', 'alive']);
    let told: Propagation | null = null;
    sole.confirm((_error, propagation) => (told = propagation ?? null), []);
    expect(told).toEqual({ acknowledged: 0, waitedOut: 0 });
  });

  test('whose first read fails answers nothing, and reads again', () => {
    sole = new Node(
      'sole',
      {
        now: () => clock.now(),
        after: (ms, work) => clock.after(ms, work),
        every: (ms, work) => clock.every(ms, work),
        authorityNowMs: () => clock.wallMs,
        database,
        ring: () => undefined,
        onEnding: () => undefined,
        onGap: () => undefined,
        onBack: () => undefined,
        onTrouble: () => undefined,
      },
      { leaseMs: LEASE, keepMs: 1e6, sole: true },
    );
    let failed: unknown;
    sole.start((error) => (failed = error));
    database.get('register').answer({ raised: 1 });
    database.get('readLog').fail();
    expect([String(failed), sole.isFresh()]).toEqual(['Error: away', false]);
    sole.start((error) => (failed = error));
    read([endingOf(1)]);
    database.get('nodes').answer({ nodes: [] });
    expect([failed, sole.isFresh()]).toEqual([null, true]);
    // The log returns what it could not take in.
    sole.missed(new Error('no event'));
    expect(sole.isFresh()).toBe(false);
    clock.pass(LEASE / 4);
    expect(database.get('readLog').id).toBeNull();
    read([endingOf(1), endingOf(2)]);
    expect([sole.isFresh(), sole.judge(session({ sid: sidOf(2) }))]).toEqual([true, 'ended']);
    clock.pass(10 * LEASE);
    expect(database.asked).toEqual([]);
  });

  test('after a killed one waits for the verifiers that trust it, and deregisters it', () => {
    start([{ id: 'dead', beat: 3 }]);
    expect(database.get('takeOut').id).toBe('dead');
    database.get('takeOut').answer(true);
    clock.pass(LEASE / 2);
    sole.committed(endingOf(2));
    let told: Propagation | null = null;
    sole.confirm((_error, propagation) => (told = propagation ?? null), []);
    clock.pass(LEASE / 2);
    expect(told).toBeNull();
    clock.pass(LONGEST - LEASE);
    expect(told).toEqual({ acknowledged: 0, waitedOut: 1 });
    sole.committed(endingOf(3));
    told = null;
    sole.confirm((_error, propagation) => (told = propagation ?? null), []);
    expect(told).toEqual({ acknowledged: 0, waitedOut: 0 });
  });
});
