import { cutAll } from '@curfew/protocol/cuts';
import type { Ending } from '@curfew/protocol/endings';
import type { NodeMessage } from '@curfew/protocol/feed';
import {
  type Done,
  Node,
  WentBack,
  type NodeDatabase,
  type Propagation,
  type Ring,
  type Standing,
} from '@curfew/protocol/node';
import { beforeEach, describe, expect, test } from 'vitest';
import { HandClock } from './hand-clock.ts';
import { session, sidOf } from './sessions.ts';

const LEASE = 1000;
/** Lease, margin, and a millisecond of rounding. */
const LONGEST = 1051;

interface Asked {
  what: keyof NodeDatabase;
  id: string | null;
  answer: (value: unknown) => void;
  fail: () => void;
}

/** A database that answers when it is told to. */
class HandDatabase implements NodeDatabase {
  readonly asked: Asked[] = [];

  #ask<T>(what: keyof NodeDatabase, id: string | null, done: Done<T>): void {
    const leave = (): void => void this.asked.splice(this.asked.indexOf(one), 1);
    const one: Asked = {
      what,
      id,
      answer: (value) => {
        leave();
        done(null, value as T);
      },
      fail: () => {
        leave();
        done(new Error('away'));
      },
    };
    this.asked.push(one);
  }

  /** What every answer says of the database. */
  standing: Standing = { epoch: '1.a', foreign: false, settled: true, beat: 1 };

  /** Answers with what stands beside the standing. */
  #askStanding<T extends Standing>(what: keyof NodeDatabase, id: string | null, done: Done<T>): void {
    this.#ask(what, id, (error, answer) =>
      done(error, error ? undefined : ({ ...this.standing, ...(answer as object) } as T)),
    );
  }

  register(id: string, done: Done<Standing & { raised: number }>): void {
    this.#askStanding('register', id, done);
  }
  beat(id: string, done: Done<Standing & { raised: number }>): void {
    this.#askStanding('beat', id, done);
  }
  nodes(_id: string, done: Done<Standing & { nodes: readonly { id: string; beat: number }[] }>): void {
    this.#askStanding('nodes', null, done);
  }
  takeOut(id: string, _beat: number, _epoch: string, done: Done<boolean>): void {
    this.#ask('takeOut', id, done);
  }
  readLog(
    cursor: string | null,
    _id: string,
    done: Done<Standing & { endings: readonly Ending[]; cursor: string }>,
  ): void {
    this.#askStanding('readLog', cursor, done);
  }
  newEpoch(seen: string, above: string, done: Done<void>): void {
    this.#ask('newEpoch', `${seen} ${above}`, done);
  }
  settle(epoch: string, done: Done<void>): void {
    this.#ask('settle', epoch, done);
  }

  /** The oldest question of the kind. */
  get(what: keyof NodeDatabase): Asked {
    const one = this.asked.find((asked) => asked.what === what);
    if (!one) throw new Error(`nobody asks for ${what}`);
    return one;
  }

  has(what: keyof NodeDatabase): boolean {
    return this.asked.some((asked) => asked.what === what);
  }
}

let clock: HandClock;
let database: HandDatabase;
let rings: Ring[];
let heard: number[];
let gaps: number;
let backs: number;
/** What a listener does besides; tests make it throw. */
let onEnding: (ending: Ending) => void;
let troubles: string[];
let node: Node;

beforeEach(() => {
  clock = new HandClock();
  database = new HandDatabase();
  rings = [];
  heard = [];
  gaps = 0;
  backs = 0;
  onEnding = () => undefined;
  troubles = [];
  node = new Node(
    'me',
    {
      now: () => clock.now(),
      after: (ms, work) => clock.after(ms, work),
      every: (ms, work) => clock.every(ms, work),
      authorityNowMs: () => clock.wallMs,
      database,
      ring: (message) => rings.push(message),
      onEnding: (ending) => {
        onEnding(ending);
        heard.push(ending.position);
      },
      onGap: () => gaps++,
      onBack: () => backs++,
      onTrouble: (what) => troubles.push(what),
    },
    { leaseMs: LEASE, keepMs: 1e6 },
  );
});

const endingOf = (position: number, n = position): Ending => ({
  position,
  ids: [sidOf(n)],
  cuts: [],
  changed: [],
});
const read = (endings: Ending[] = [], cursor = '1'): void =>
  database.get('readLog').answer({ endings, cursor });

function started(): void {
  node.start(() => undefined);
  database.get('register').answer({ raised: 1 });
  read();
}

/** Time passes, and the database answers at once: nothing new, and the beat arrived. */
function live(ms: number, beats = true): void {
  for (let i = 0; i < ms; i += 50) {
    clock.pass(50);
    while (database.has('readLog')) read();
    while (database.has('nodes')) database.get('nodes').answer({ nodes: [] });
    while (beats && database.has('beat')) database.get('beat').answer({ raised: 1 });
  }
}

describe('being fresh', () => {
  test('it registers before it reads, and is fresh as of the asking', () => {
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

  test('whoever is suspended during the look into the replica finds the lease over', () => {
    started();
    const { facts, id, keys } = session();
    const held = {
      facts,
      id,
      get keys() {
        clock.monotonicMs += LEASE;
        return keys;
      },
    };
    expect(node.judge(held)).toBe('unsure');
  });

  test('a read that fails proves nothing, and what was committed meanwhile is told once', () => {
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

  test('it trusts its registration for three leases after the last beat that it sent', () => {
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

  test('nor is it trusted after a sleep, in which the monotonic clock stood still', () => {
    started();
    live(LEASE);
    clock.sleep(3 * LEASE);
    clock.pass(250);
    while (database.has('readLog')) read();
    expect(node.isFresh()).toBe(false);
    live(LEASE);
    expect(node.isFresh()).toBe(true);
  });

  test('taken out, it forgets, registers anew, and believes nothing that it read before', () => {
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

  test('a read that finds it taken out has it register anew, from whatever beat it begins there', () => {
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

  test('verifiers are told its age by the clock that went further, and nothing while it is stale', () => {
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

  test('a logout takes the lease while the epoch in which the node has started is not settled', () => {
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

  test('what is committed here is taken in, unless it is not known yet of which epoch it is', () => {
    expect(node.committed(endingOf(9))).toBe(false);
    started();
    expect(node.committed(endingOf(9))).toBe(true);
  });

  test('a read that fails later on is told as a trouble with the log', () => {
    started();
    clock.pass(LEASE / 4);
    expect(troubles).toEqual([]);
    database.get('readLog').fail();
    expect(troubles).toEqual(['log']);
  });

  test('a node that is closed before its registration is answered says so', () => {
    let failed: unknown;
    node.start((error) => {
      failed = error;
    });
    node.close(() => undefined);
    database.get('register').answer({ raised: 1 });
    expect(failed).toEqual(new Error('this node is closed'));
    expect(database.asked).toEqual([]);
  });

  test('an answer that knows less than the registration of this node is of a database that has gone back', () => {
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

  test('alone, it is answered when the registry has been read', () => {
    confirm();
    expect(told).toBeNull();
    registry();
    expect(told).toEqual({ acknowledged: 0, waitedOut: 0 });
    expect(rings).toEqual([]);
  });

  test('others are rung, and have to say that they and their verifiers are through', () => {
    confirm();
    registry('one', 'two');
    expect(rings).toEqual([{ ring: 1, from: 'me', epoch: '1.a' }]);
    node.heard({ ack: 1, from: 'one', to: 'me', over: false, acknowledged: 1, missing: 1 });
    node.heard({ ack: 1, from: 'two', to: 'me', over: true, acknowledged: 0, missing: 0 });
    // Not for this one, of an earlier ring, or of somebody who is not asked.
    node.heard({ ack: 1, from: 'one', to: 'you', over: true, acknowledged: 9, missing: 0 });
    node.heard({ ack: 0, from: 'one', to: 'me', over: true, acknowledged: 9, missing: 0 });
    node.heard({ ack: 1, from: 'three', to: 'me', over: true, acknowledged: 9, missing: 0 });
    expect(told).toBeNull();
    node.heard({ ack: 1, from: 'one', to: 'me', over: true, acknowledged: 1, missing: 1 });
    expect(told).toEqual({ acknowledged: 3, waitedOut: 1 });
  });

  test('an answer to a ring that was never rung counts for nothing, nor does what is no message', () => {
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

  test('an early word that comes late takes nothing back', () => {
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
  ])('the lease and its margin end the wait for %s', (_, what) => {
    confirm();
    what();
    clock.pass(LONGEST - 1);
    expect(told).toBeNull();
    clock.pass(1);
    expect(told).not.toBeNull();
  });

  test('a read of the registry that was under way before the commit serves nobody who asks after it', () => {
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

  test('own verifiers are waited for', () => {
    const feed = node.publisher.join(() => undefined);
    node.renew(feed, 1);
    node.committed(endingOf(2));
    confirm();
    registry();
    expect(told).toBeNull();
    node.publisher.acknowledge(feed, 2);
    expect(told).toEqual({ acknowledged: 1, waitedOut: 0 });
  });

  test('what was committed, or read, together goes to the verifiers as one message', () => {
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

  test('what somebody else has committed is read before it is asked who holds it', () => {
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

  test('or the lease is waited out, when it cannot be read', () => {
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

describe('the other nodes', () => {
  beforeEach(started);

  test('a ring is acknowledged after a read that began after it', () => {
    clock.pass(250);
    node.heard({ ring: 4, from: 'one' });
    // The read that was under way may have missed what it was rung for.
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

  test('it is said twice when verifiers are still to be waited for', () => {
    const feed = node.publisher.join(() => undefined);
    node.renew(feed, 1);
    node.heard({ ring: 4, from: 'one' });
    read([endingOf(3)]);
    expect(rings).toEqual([{ ack: 4, from: 'me', to: 'one', over: false, acknowledged: 0, missing: 1 }]);
    node.publisher.acknowledge(feed, 1);
    expect(rings[1]).toEqual({ ack: 4, from: 'me', to: 'one', over: true, acknowledged: 1, missing: 0 });
  });

  /** Beats once, with what the registry says then, and how late it says it. */
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

  test('a beat that has not moved for more than five leases is taken out', () => {
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

  test('what was seen of a node is forgotten with its registration, and when the database goes back', () => {
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

  test('a beat counts from when the registry answered: it may have been sent as late as that', () => {
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

  test('a beat that moves is not, and one that was first seen late counts from then', () => {
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

describe('whatever throws', () => {
  const failing = (): never => {
    throw new Error('a listener failed');
  };

  test('while a read is taken in: all who wait are told, nothing is proven, and the next read begins anew', () => {
    started();
    clock.pass(250);
    const answers: unknown[] = [];
    node.catchUp((error) => answers.push(String(error)));
    read([]);
    onEnding = failing;
    read([endingOf(7), endingOf(8)], '20');
    expect([answers, heard, node.isFresh(), troubles]).toEqual([
      ['Error: a listener failed'],
      [],
      false,
      ['taking-in'],
    ]);
    // Known already, so nobody is let in meanwhile either.
    expect(node.judge(session({ sid: sidOf(7) }))).toBe('ended');
    onEnding = () => undefined;
    clock.pass(250);
    expect(database.get('readLog').id).toBeNull();
    read([endingOf(7), endingOf(8)], '20');
    expect([heard, node.ageMs()]).toEqual([[7, 8], 0]);
    clock.pass(250);
    expect(database.get('readLog').id).toBe('20');
  });

  test('what the replica cannot hold is not taken for read either', () => {
    started();
    clock.pass(250);
    read([{ position: 5, ids: ['no id'], cuts: [], changed: [] }, endingOf(6)]);
    expect(node.isFresh()).toBe(false);
    clock.pass(250);
    read([endingOf(5), endingOf(6)]);
    expect([heard, node.isFresh()]).toEqual([[5, 6], true]);
  });

  test('while a logout is taken in: it is confirmed when the log has given it, and this node answers nothing until then', () => {
    started();
    const feed = node.publisher.join(() => undefined);
    node.renew(feed, 1);
    onEnding = failing;
    expect(node.committed(endingOf(9))).toBe(false);
    onEnding = () => undefined;
    expect(node.judge(session())).toBe('unsure');
    let told: Propagation | null = null;
    node.confirm((_error, propagation) => (told = propagation ?? null), []);
    expect(database.get('readLog').id).toBeNull();
    read([endingOf(9)]);
    database.get('nodes').answer({ nodes: [] });
    expect([told, heard, node.isFresh()]).toEqual([null, [9], true]);
    node.publisher.acknowledge(feed, node.publisher.seq);
    expect(told).toEqual({ acknowledged: 1, waitedOut: 0 });
  });

  test('or when the lease is over, if the log cannot give it', () => {
    started();
    const feed = node.publisher.join(() => undefined);
    node.renew(feed, 1);
    node.missed(new Error('no event'));
    let told: Propagation | null = null;
    node.confirm((_error, propagation) => (told = propagation ?? null), []);
    database.get('readLog').fail();
    node.renew(feed, 2);
    clock.pass(LONGEST - 1);
    expect(told).toBeNull();
    clock.pass(1);
    expect(told).toEqual({ acknowledged: 0, waitedOut: 1 });
  });

  test('in one who is answered: the others are answered, and reads go on', () => {
    started();
    const answers: string[] = [];
    node.catchUp(failing);
    node.catchUp(() => answers.push('during'));
    read();
    read();
    node.catchUp(() => answers.push('after'));
    read();
    expect([answers, troubles]).toEqual([['during', 'after'], ['callback']]);
  });

  test('in one who is told of a confirmation: the others are told', () => {
    started();
    const told: Propagation[] = [];
    node.confirm(failing, []);
    node.confirm((_error, propagation) => propagation && told.push(propagation), []);
    database.get('nodes').answer({ nodes: [{ id: 'other', beat: 1 }] });
    database.get('nodes').answer({ nodes: [{ id: 'other', beat: 1 }] });
    node.heard({ ack: 2, from: 'other', to: 'me', over: true, acknowledged: 0, missing: 0 });
    expect([told, troubles]).toEqual([[{ acknowledged: 1, waitedOut: 0 }], ['callback']]);
  });

  test('in the database, at once or after an answer: the read fails once, and another follows', () => {
    started();
    const answers: unknown[] = [];
    database.readLog = failing;
    node.catchUp((error) => answers.push(error !== null));
    database.readLog = (_cursor, _id, done) => {
      done(null, { ...database.standing, endings: [], cursor: '1' });
      done(new Error('twice'));
      return failing();
    };
    node.catchUp((error) => answers.push(error !== null));
    Reflect.deleteProperty(database, 'readLog');
    node.catchUp((error) => answers.push(error !== null));
    read();
    expect(answers).toEqual([true, false, false]);
  });
});

test('closing: no renewals any more, and the answer when no verifier trusts itself', () => {
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

  test('reads once, and is fresh for as long as it lives', () => {
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
    // What it could not take in is given by the log.
    sole.missed(new Error('no event'));
    expect(sole.isFresh()).toBe(false);
    clock.pass(LEASE / 4);
    expect(database.get('readLog').id).toBeNull();
    read([endingOf(1), endingOf(2)]);
    expect([sole.isFresh(), sole.judge(session({ sid: sidOf(2) }))]).toEqual([true, 'ended']);
    clock.pass(10 * LEASE);
    expect(database.asked).toEqual([]);
  });

  test('that comes after one that was killed waits for whoever trusts the dead one’s word, and takes it out', () => {
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

describe('a database that has gone back', () => {
  /** The next read finds what stands in the standing; the node registers in it anew, and reads from the beginning. */
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
    'is noticed by $what: nothing is vouched for until the history is read in a new epoch',
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

  test('whose new epoch another node has recorded is joined', () => {
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
  ])('gives a position again that was %s before: both endings count', (how, answer) => {
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

  test('what was asked before is not taken in after, and an epoch that could not be recorded is not taken for the old one', () => {
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

  test('is found by somebody else, who misses what was surely there', () => {
    node.foundBack();
    expect([backs, node.epoch, node.isFresh(), node.replica.size().ids]).toEqual([1, null, false, 0]);
    node.foundBack();
    expect(backs).toBe(1);
    clock.pass(LEASE / 4);
    expect(database.get('newEpoch').id).toBe('1.a 1.a');
  });

  test('is noticed by a node that is closed as well: its registry is not believed, and what it waits for fails', () => {
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

  describe('while a logout waits', () => {
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
    ])('the history has $what', ({ has, told }) => {
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
    ])('by a cut, and the history has $what', ({ has, told }) => {
      confirming(cut(4));
      history(...has);
      clock.pass(LONGEST);
      expect(answers).toEqual([told]);
    });

    test('and the history is not read in time', () => {
      confirming(endingOf(4));
      database.standing = { ...database.standing, epoch: '2.z', settled: false };
      beginAnew();
      clock.pass(LONGEST);
      expect(answers).toEqual(['WentBack']);
    });

    test('for what says something of a user besides, of which no memory tells', () => {
      confirming({ ...endingOf(4), changed: [1] });
      history({ ...endingOf(4), changed: [1] });
      clock.pass(LONGEST);
      expect(answers).toEqual(['WentBack']);
    });

    test('for what others had ended: the database has gone back behind that', () => {
      answers.length = 0;
      node.confirmEarlier(note);
      history(endingOf(4));
      if (database.has('nodes')) database.get('nodes').answer({ nodes: [] });
      clock.pass(LONGEST);
      expect(answers).toEqual(['WentBack']);
    });

    test('or before it is asked to, and the new epoch is not known yet', () => {
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

  test('what is committed while the new epoch is looked for is left to the history', () => {
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
