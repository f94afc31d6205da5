import { cutAll, tenantKey, userKey } from '@curfew/protocol/cuts';
import { sessionKey } from '@curfew/protocol/ended-ids';
import { FEED_VERSION, type VerifierMessage, type Welcome } from '@curfew/protocol/feed-messages';
import { Subscriber } from '@curfew/protocol/subscriber';
import { beforeEach, expect, test } from 'vitest';
import { HandClock } from './hand-clock.ts';
import { session, sidOf } from './sessions.ts';

const LEASE = 1000;
const welcome: Welcome = {
  t: 'welcome',
  v: FEED_VERSION,
  node: 'node',
  lease: LEASE,
  keep: 1e6,
  tokenLife: 300_000,
  issuer: 'https://auth.example',
};

let clock: HandClock;
let sent: VerifierMessage[];
let gaveUp: string[];
let endings: number;
/** Whether the database went back, of each new replica. */
let backs: boolean[];
let fails: boolean;
let subscriber: Subscriber;

beforeEach(() => {
  clock = new HandClock();
  sent = [];
  gaveUp = [];
  endings = 0;
  backs = [];
  fails = false;
  subscriber = new Subscriber('verifier', {
    now: () => clock.now(),
    send: (message) => sent.push(message),
    reconnect: (why) => gaveUp.push(why),
    onNewReplica: (wentBack) => backs.push(wentBack),
    onEnding: () => {
      if (fails) throw new Error('a listener failed');
      endings++;
    },
  });
});

const ending = (seq: number, n: number): void =>
  subscriber.received({ t: 'ending', seq, ids: [sidOf(n)], cuts: [], changed: [] });
const renewals = (): number[] => sent.flatMap((message) => (message.t === 'renew' ? [message.n] : []));
const acks = (): number[] => sent.flatMap((message) => (message.t === 'ack' ? [message.seq] : []));

/** A connection with a snapshot of two pieces, the newest number in it being `seq`. */
function connect(seq = 3): void {
  subscriber.connected();
  subscriber.received(welcome);
  subscriber.received({ t: 'cuts', cuts: [{ key: userKey('9'), ...cutAll(5) }] });
  subscriber.received({ t: 'ids', ids: [sessionKey(sidOf(50))] });
  subscriber.received({ t: 'snapshot', seq, parts: 2 });
}

const renewed = (n: number, seq: number, age = 0): void =>
  subscriber.received({ t: 'renewed', n, age, seq, now: 1.7e12 });

test('it says hello, and is fresh once a renewal requested after the snapshot is answered', () => {
  expect(subscriber.judge(session())).toBe('unsure');
  connect();
  expect(sent[0]).toEqual({ t: 'hello', v: 1, newest: FEED_VERSION, replica: 'verifier' });
  expect(acks()).toEqual([3]);
  expect(subscriber.isFresh()).toBe(false);
  renewed(1, 3);
  expect(subscriber.isFresh()).toBe(true);
  expect(subscriber.judge(session())).toBe('alive');
  expect(subscriber.judge(session({ sid: sidOf(50) }))).toBe('ended');
  expect(subscriber.judge(session({ subject: '9', born: 4 }))).toBe('ended');
  expect(gaveUp).toEqual([]);
});

test('freshness counts from the question, minus the age that the node reports', () => {
  connect();
  clock.pass(300);
  renewed(1, 3, 200);
  expect(subscriber.ageMs()).toBe(500);
  clock.pass(499);
  expect(subscriber.judge(session())).toBe('alive');
  clock.pass(1);
  expect(subscriber.judge(session())).toBe('unsure');
  // An ended session stays ended, fresh or not.
  expect(subscriber.judge(session({ sid: sidOf(50) }))).toBe('ended');
});

test('a machine that slept finds its lease expired', () => {
  connect();
  renewed(1, 3);
  clock.sleep(LEASE);
  expect(subscriber.judge(session())).toBe('unsure');
});

test('a process suspended during the look into the replica finds the lease expired', () => {
  connect();
  renewed(1, 3);
  const { facts, id, keys, login } = session();
  const held = {
    facts,
    id,
    login,
    get keys() {
      clock.pass(LEASE);
      return keys;
    },
  };
  expect(subscriber.judge(held)).toBe('unsure');
});

test('endings are taken in and acknowledged, and twice is the same as once', () => {
  connect();
  ending(4, 1);
  expect(acks()).toEqual([3, 4]);
  expect(endings).toBe(1);
  ending(4, 1);
  expect(acks()).toEqual([3, 4]);
  renewed(1, 4);
  expect(subscriber.judge(session())).toBe('ended');
  expect(gaveUp).toEqual([]);
});

test('nothing is acknowledged before the snapshot is complete', () => {
  subscriber.connected();
  subscriber.received(welcome);
  ending(4, 1);
  expect(acks()).toEqual([]);
  subscriber.received({ t: 'snapshot', seq: 3, parts: 0 });
  expect(acks()).toEqual([4]);
});

test('a gap is noticed at any place', () => {
  connect();
  ending(5, 1);
  expect(gaveUp).toEqual(['an ending is missing']);

  connect();
  renewed(renewals().at(-1) as number, 4);
  expect(gaveUp[1]).toBe('an ending is missing');
  expect(subscriber.isFresh()).toBe(false);

  subscriber.connected();
  subscriber.received(welcome);
  ending(6, 1);
  subscriber.received({ t: 'snapshot', seq: 4, parts: 0 });
  expect(gaveUp[2]).toBe('endings are missing after the snapshot');

  subscriber.connected();
  subscriber.received(welcome);
  subscriber.received({ t: 'snapshot', seq: 4, parts: 1 });
  expect(gaveUp[3]).toBe('a part of the snapshot is missing');
  expect(renewals()).toHaveLength(2);
});

test('messages before the terms do not count', () => {
  connect();
  subscriber.connected();
  subscriber.received({ t: 'ids', ids: [] });
  expect(gaveUp).toEqual(['received a snapshot before the terms']);
  subscriber.connected();
  ending(4, 1);
  expect(gaveUp[1]).toBe('received endings before the terms');
});

test('after a reconnection proofs remain, and answers to earlier questions are void', () => {
  connect();
  renewed(1, 3);
  subscriber.tick();
  const asked = renewals().at(-1) as number;
  clock.pass(600);
  subscriber.connected();
  expect(subscriber.judge(session())).toBe('alive');
  subscriber.received(welcome);
  renewed(asked, 0);
  clock.pass(400);
  expect(subscriber.judge(session())).toBe('unsure');
  expect(subscriber.judge(session({ sid: sidOf(50) }))).toBe('ended');
  // The numbers are another node's: lower ones are no gap, and earlier ones mean nothing.
  const before = acks().length;
  ending(2, 2);
  expect(acks()).toHaveLength(before);
  subscriber.tick();
  expect(renewals().at(-1)).toBe(asked);
  subscriber.received({ t: 'snapshot', seq: 1, parts: 0 });
  expect(acks().slice(before)).toEqual([2]);
  renewed(renewals().at(-1) as number, 2);
  expect(subscriber.isFresh()).toBe(true);
  expect(gaveUp).toEqual([]);
});

test.each([{ lease: 500 }, { keep: 2e6 }])('other terms begin anew: %j', (terms) => {
  connect();
  renewed(1, 3);
  subscriber.connected();
  subscriber.received({ ...welcome, ...terms });
  // Also what was judged by the old terms is void.
  expect(backs).toEqual([false]);
  expect(subscriber.isFresh()).toBe(false);
  expect(subscriber.judge(session())).toBe('unsure');
  expect(subscriber.size()).toEqual({ ids: 0, cuts: 0, bytes: expect.any(Number) as number });
});

test('a node of another epoch begins anew, and tokens of other epochs are not judged here', () => {
  subscriber.connected();
  subscriber.received({ ...welcome, epoch: '1.a' });
  ending(1, 7);
  subscriber.received({ t: 'snapshot', seq: 1, parts: 0 });
  renewed(1, 1);
  expect(subscriber.judge(session({ sid: sidOf(7) }))).toBe('ended');
  expect([subscriber.mayJudge('1.a'), subscriber.mayJudge('2.b'), subscriber.mayJudge(undefined)]).toEqual([
    true,
    false,
    false,
  ]);

  subscriber.connected();
  subscriber.received({ ...welcome, epoch: '2.b' });
  expect(backs).toEqual([true]);
  expect(subscriber.isFresh()).toBe(false);
  expect(subscriber.judge(session({ sid: sidOf(7) }))).toBe('unsure');
  expect([subscriber.mayJudge('1.a'), subscriber.mayJudge('2.b')]).toEqual([false, true]);

  subscriber.connected();
  subscriber.received({ ...welcome, epoch: '2.b' });
  expect(backs).toEqual([true]);
});

test('a node of a version without epochs is accepted', () => {
  connect();
  expect([subscriber.mayJudge('1.a'), subscriber.mayJudge(undefined)]).toEqual([true, true]);
});

test('another version is refused', () => {
  subscriber.connected();
  subscriber.received({ ...welcome, v: FEED_VERSION + 1 });
  expect(gaveUp).toEqual(['the node speaks another version of the feed']);
});

test('a renewal is answered once, and a lost one is forgotten', () => {
  connect();
  for (let i = 0; i < 20; i++) subscriber.tick();
  renewed(1, 3);
  expect(subscriber.isFresh()).toBe(false);
  renewed(21, 3);
  expect(subscriber.isFresh()).toBe(true);
});

test('a silent node is left', () => {
  connect();
  clock.pass(3 * LEASE);
  subscriber.tick();
  expect(gaveUp).toEqual([]);
  clock.pass(1);
  subscriber.tick();
  expect(gaveUp).toEqual(['the node is silent']);
});

test("the authority's clock advances here, whatever the wall clock says", () => {
  expect(subscriber.authorityNowMs()).toBeNull();
  connect();
  renewed(1, 3);
  clock.wallMs -= 7_200_000;
  clock.pass(250);
  expect(subscriber.authorityNowMs()).toBe(1.7e12 + 250);
});

test("the authority's clock is dated by the question: a slow answer makes tokens expire early, never late", () => {
  connect();
  clock.pass(400);
  renewed(1, 3);
  expect(subscriber.authorityNowMs()).toBe(1.7e12 + 400);
});

test('a message that throws is not taken in, not acknowledged and proves nothing: another connection begins anew', () => {
  connect();
  const before = sent.length;
  fails = true;
  ending(4, 1);
  fails = false;
  expect(gaveUp).toEqual(['could not process a message: Error: a listener failed']);
  expect(sent.slice(before)).toEqual([]);
  // Endings in between are missing, whatever this node sends next.
  renewed(1, 4);
  expect([subscriber.isFresh(), gaveUp.length]).toEqual([false, 2]);
});

test('a node of version 1 is followed too', () => {
  subscriber.connected();
  subscriber.received({ ...welcome, v: 1 });
  expect(gaveUp).toEqual([]);
});

test('a credential of an older version is asked about while there are cuts of tenants', () => {
  connect();
  renewed(1, 3);
  const older = session({ tenant: null });
  expect(subscriber.judge(older)).toBe('alive');
  const cuts = [{ key: tenantKey('acme'), ...cutAll(5) }];
  subscriber.received({ t: 'ending', seq: 4, ids: [], cuts, changed: [] });
  expect([subscriber.judge(older), subscriber.judge(session())]).toEqual(['unsure', 'alive']);
});
