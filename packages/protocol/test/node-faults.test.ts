/** A node whose listeners, replica or database throw. */
import { type Propagation } from '@curfew/protocol/node';
import { beforeEach, describe, expect, test } from 'vitest';
import { session, sidOf } from './sessions.ts';
import {
  LONGEST,
  clock,
  database,
  endingOf,
  heard,
  listen,
  node,
  openStage,
  read,
  started,
  troubles,
} from './node-stage.ts';

beforeEach(openStage);

describe('an exception', () => {
  const failing = (): never => {
    throw new Error('a listener failed');
  };

  test('while a read is taken in: all callers get it, nothing is proven, and the next read begins anew', () => {
    started();
    clock.pass(250);
    const answers: unknown[] = [];
    node.catchUp((error) => answers.push(String(error)));
    read([]);
    listen(failing);
    read([endingOf(7), endingOf(8)], '20');
    expect([answers, heard, node.isFresh(), troubles]).toEqual([
      ['Error: a listener failed'],
      [],
      false,
      ['taking-in'],
    ]);
    // The node knows it already, so it admits nobody meanwhile either.
    expect(node.judge(session({ sid: sidOf(7) }))).toBe('ended');
    listen(() => undefined);
    clock.pass(250);
    expect(database.get('readLog').id).toBeNull();
    read([endingOf(7), endingOf(8)], '20');
    expect([heard, node.ageMs()]).toEqual([[7, 8], 0]);
    clock.pass(250);
    expect(database.get('readLog').id).toBe('20');
  });

  test('of the replica: the ending does not count as read', () => {
    started();
    clock.pass(250);
    read([{ position: 5, ids: ['no id'], cuts: [], changed: [] }, endingOf(6)]);
    expect(node.isFresh()).toBe(false);
    clock.pass(250);
    read([endingOf(5), endingOf(6)]);
    expect([heard, node.isFresh()]).toEqual([[5, 6], true]);
  });

  test('while a logout is taken in: it is confirmed once the log returns it, and the node answers nothing until then', () => {
    started();
    const feed = node.publisher.join(() => undefined);
    node.renew(feed, 1);
    listen(failing);
    expect(node.committed(endingOf(9))).toBe(false);
    listen(() => undefined);
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

  test('while a logout is taken in: it is confirmed after the lease if the log cannot return it', () => {
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

  test('of one caller: the others are answered, and reads continue', () => {
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

  test('of one listener to confirmations: the others are called', () => {
    started();
    const told: Propagation[] = [];
    node.confirm(failing, []);
    node.confirm((_error, propagation) => propagation && told.push(propagation), []);
    database.get('nodes').answer({ nodes: [{ id: 'other', beat: 1 }] });
    database.get('nodes').answer({ nodes: [{ id: 'other', beat: 1 }] });
    node.heard({ ack: 2, from: 'other', to: 'me', over: true, acknowledged: 0, missing: 0 });
    expect([told, troubles]).toEqual([[{ acknowledged: 1, waitedOut: 0 }], ['callback']]);
  });

  test('of the database, at once or after an answer: the read fails once, and another follows', () => {
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
