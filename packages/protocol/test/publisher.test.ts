import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NodeMessage } from '@curfew/protocol/feed-messages';
import { Publisher, type Tally } from '@curfew/protocol/publisher';
import { beforeEach, expect, test } from 'vitest';
import { HandClock } from './hand-clock.ts';
import { sidOf } from './sessions.ts';

const TRUST = 1050;

let clock: HandClock;
let publisher: Publisher;
let sent: NodeMessage[];
let over: Tally | null;
let faults: unknown[];

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');
/** Messages of the present turn are held until it is over. */
const collectGarbage = (): Promise<void> =>
  new Promise((done) => {
    setTimeout(() => {
      gc();
      done();
    });
  });
const isHeld = (ref: WeakRef<object>): boolean => ref.deref() !== undefined;

beforeEach(() => {
  clock = new HandClock();
  publisher = new Publisher(clock, TRUST, (error) => void faults.push(error));
  sent = [];
  faults = [];
  over = null;
});

const join = () => publisher.join((message) => sent.push(message));
const end = (): void => publisher.publish([{ position: 1, ids: [sidOf(1)], cuts: [], changed: [] }]);
const wait = () =>
  publisher.waitForAll((tally) => {
    over = tally;
  });

test('without verifiers, or when all hold the ending, there is no wait', () => {
  end();
  wait();
  expect(over).toEqual({ acknowledged: 0, missing: 0 });
  const feed = join();
  publisher.renew(feed, 1, 0, 0);
  end();
  publisher.acknowledge(feed, 2);
  over = null;
  wait();
  expect(over).toEqual({ acknowledged: 1, missing: 0 });
});

test('a verifier that acknowledges an unpublished number is waited for all the same', () => {
  end();
  const feed = join();
  publisher.renew(feed, 1, 0, 0);
  for (const seq of [1e9, Number.NaN, Number.POSITIVE_INFINITY]) publisher.acknowledge(feed, seq);
  end();
  wait();
  expect(over).toBeNull();
});

test('endings are numbered, and one that nobody needs is not sent', () => {
  join();
  end();
  publisher.publish([{ position: 2, ids: [], cuts: [], changed: [] }]);
  publisher.publish([{ position: 3, ids: [], cuts: [], changed: ['7'] }]);
  expect(sent.map((message) => (message.t === 'ending' ? message.seq : null))).toEqual([1, 2]);
  expect(publisher.seq).toBe(2);
});

test('a verifier with a lease is waited for until it holds the ending', () => {
  const [one, other] = [join(), join()];
  publisher.renew(one, 1, 0, 0);
  publisher.renew(other, 1, 0, 0);
  end();
  const standing = wait();
  publisher.acknowledge(one, 1);
  expect([over, standing()]).toEqual([null, { acknowledged: 1, missing: 1 }]);
  // An older number, and the same again, are nothing new.
  publisher.acknowledge(one, 1);
  publisher.acknowledge(other, 0);
  expect(over).toBeNull();
  publisher.acknowledge(other, 1);
  expect(over).toEqual({ acknowledged: 2, missing: 0 });
});

test('a verifier is waited for no longer than its lease, by the age that it was told', () => {
  const feed = join();
  publisher.renew(feed, 1, 400, 0);
  end();
  wait();
  clock.pass(TRUST - 400);
  expect(over).toBeNull();
  clock.pass(2);
  expect(over).toEqual({ acknowledged: 0, missing: 1 });
  // A later renewal covers this ending as well, so it extends no wait.
  publisher.renew(feed, 2, 0, 0);
  end();
  over = null;
  wait();
  expect(over).toBeNull();
  clock.pass(TRUST + 1);
  expect(over).not.toBeNull();
});

test('a renewal during the wait does not extend it', () => {
  const feed = join();
  publisher.renew(feed, 1, 0, 0);
  end();
  wait();
  clock.pass(1000);
  publisher.renew(feed, 2, 0, 0);
  clock.pass(51);
  expect(over).toEqual({ acknowledged: 0, missing: 1 });
});

test('a disconnected verifier is waited for, and not renewed', () => {
  const feed = join();
  publisher.renew(feed, 1, 0, 0);
  publisher.leave(feed);
  expect(publisher.size).toBe(0);
  const before = sent.length;
  publisher.renew(feed, 2, 0, 0);
  expect(sent).toHaveLength(before);
  end();
  expect(sent).toHaveLength(before);
  wait();
  clock.pass(TRUST - 1);
  expect(over).toBeNull();
  clock.pass(3);
  expect(over).toEqual({ acknowledged: 0, missing: 1 });
  over = null;
  wait();
  expect(over).toEqual({ acknowledged: 0, missing: 0 });
});

test('a verifier that disconnects during the wait is waited out, and then forgotten', async () => {
  const depart = (renewed: boolean): WeakRef<object> => {
    const feed = join();
    if (renewed) publisher.renew(feed, 1, 0, 0);
    end();
    wait();
    publisher.leave(feed);
    return new WeakRef(feed);
  };
  const waitedFor = depart(true);
  clock.pass(TRUST - 1);
  await collectGarbage();
  expect([over, isHeld(waitedFor)]).toEqual([null, true]);
  clock.pass(2);
  expect(over).toEqual({ acknowledged: 0, missing: 1 });
  // Feeds with an expired lease are dropped at the next departure, and one without a lease at its own.
  const neverTrusted = depart(false);
  await collectGarbage();
  expect([isHeld(waitedFor), isHeld(neverTrusted)]).toEqual([false, false]);
});

test('a verifier that was never renewed has no lease and is not waited for', () => {
  join();
  end();
  wait();
  expect(over).toEqual({ acknowledged: 0, missing: 0 });
});

test('closing waits for the last lease', () => {
  const [one, other] = [join(), join()];
  publisher.renew(one, 1, 0, 0);
  clock.pass(500);
  publisher.renew(other, 1, 0, 0);
  publisher.leave(other);
  let free = false;
  publisher.whenNoneTrusts(() => {
    free = true;
  });
  clock.pass(TRUST);
  expect(free).toBe(false);
  clock.pass(1);
  expect(free).toBe(true);
});

test('a verifier that cannot be sent to delays no other, is waited for, and is not renewed', () => {
  const broken = publisher.join((message) => {
    if (message.t === 'ending') throw new Error('the socket is broken');
  });
  const whole = join();
  for (const feed of [broken, whole]) publisher.renew(feed, 1, 0, 0);
  end();
  expect([sent.at(-1)?.t, faults.map(String), publisher.size]).toEqual([
    'ending',
    ['Error: the socket is broken'],
    1,
  ]);
  publisher.acknowledge(whole, 1);
  clock.pass(TRUST / 2);
  publisher.renew(broken, 2, 0, 0);
  wait();
  expect(over).toBe(null);
  clock.pass(TRUST / 2 + 1);
  expect(over).toEqual({ acknowledged: 1, missing: 1 });
});

test('a caller that throws keeps no other from its answer', () => {
  const feed = join();
  publisher.renew(feed, 1, 0, 0);
  end();
  publisher.waitForAll(() => {
    throw new Error('nobody listens');
  });
  wait();
  publisher.acknowledge(feed, 1);
  expect([over, faults.length]).toEqual([{ acknowledged: 1, missing: 0 }, 1]);
});

test('a renewal by older knowledge does not shorten an earlier one', () => {
  const feed = join();
  publisher.renew(feed, 1, 0, 0);
  clock.pass(10);
  publisher.renew(feed, 2, 500, 0);
  end();
  wait();
  clock.pass(TRUST - 10);
  expect(over).toBe(null);
  clock.pass(1);
  expect(over).toEqual({ acknowledged: 0, missing: 1 });
});

test('a verifier that left is neither renewed, sent to nor counted, however late its messages arrive', () => {
  const feed = join();
  publisher.renew(feed, 1, 0, 0);
  publisher.leave(feed);
  publisher.leave(feed);
  clock.pass(TRUST / 2);
  publisher.renew(feed, 2, 0, 0);
  end();
  expect([sent.map(({ t }) => t), publisher.size]).toEqual([['renewed'], 0]);
  wait();
  clock.pass(TRUST / 2);
  expect(over).toBe(null);
  clock.pass(1);
  expect(over).toEqual({ acknowledged: 0, missing: 1 });
});
