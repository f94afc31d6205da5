/** A node that must keep endings for longer, because tokens may live longer from now on. */
import { beforeEach, describe, expect, test } from 'vitest';
import {
  backs,
  clock,
  database,
  endingOf,
  live,
  node,
  openStage,
  read,
  started,
  troubles,
} from './node-stage.ts';
import { session, sidOf } from './sessions.ts';

/** As the stage opens it, and longer. */
const KEEP = 1e6;
const LONGER = 3e6;

beforeEach(openStage);

const verdict = (n: number) => node.judge(session({ sid: sidOf(n) }));

describe('keeping for longer', () => {
  test('the node trusts nothing until it has read the log anew, from its beginning', () => {
    started();
    expect(verdict(1)).toBe('alive');
    node.keepFor(LONGER);
    expect([node.keepMs, verdict(1), backs, troubles]).toEqual([LONGER, 'unsure', 0, []]);
    clock.pass(250);
    expect(database.get('readLog').id).toBeNull();
    // What was dropped, or was too old when the node started, is there again.
    read([endingOf(7)]);
    expect([verdict(1), verdict(7)]).toEqual(['alive', 'ended']);
  });

  test('an answer to an earlier question does not reach back far enough', () => {
    started();
    clock.pass(250);
    node.keepFor(LONGER);
    read([endingOf(5)], '17');
    expect([verdict(1), verdict(5)]).toEqual(['unsure', 'ended']);
    expect(database.get('readLog').id).toBeNull();
    read([endingOf(7)], '18');
    expect([verdict(1), verdict(7)]).toEqual(['alive', 'ended']);
    clock.pass(250);
    expect(database.get('readLog').id).toBe('18');
  });

  test('a question that is answered while the log is read keeps the longer time', () => {
    started();
    clock.pass(250);
    const page = database.get('readLog');
    node.keepFor(LONGER);
    page.answer({ endings: [], cursor: '17', more: true });
    expect(database.get('readLog').id).toBeNull();
  });

  test('an entry from before stays for the longer time, and a later one too', () => {
    started();
    live(250);
    node.committed(endingOf(5));
    node.keepFor(LONGER);
    live(250);
    node.committed(endingOf(6));
    for (let passed = 0; passed < LONGER - KEEP / 2; passed += KEEP / 2) {
      clock.monotonicMs += KEEP / 2;
      clock.wallMs += KEEP / 2;
      live(500);
      // Old entries are dropped before one is added.
      node.committed(endingOf(100 + passed));
      expect([verdict(5), verdict(6)]).toEqual(['ended', 'ended']);
    }
  });

  test('a shorter time changes nothing', () => {
    started();
    node.keepFor(KEEP / 2);
    expect([node.keepMs, verdict(1)]).toEqual([KEEP, 'alive']);
  });
});
