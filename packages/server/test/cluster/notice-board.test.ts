/** The board of notices, by a hand clock: what it asks the database, and what it tells other nodes. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { NoticeBoard } from '../../src/cluster/follow/notice-board.ts';
import { endingOf } from '../../src/domain/event-ending.ts';
import type { Database } from '../../src/store/database.ts';
import type { EndingEvent } from '../../src/store/log/log-event.ts';
import { eventOf } from '../../src/store/revocation.ts';
import { realSystem } from '../../src/system/real.ts';
import { liveSession, nextTurn, until } from '../races/node.ts';
import { type HandClock, openHandClock, timeOf } from '../services/hand-clock.ts';
import { backends, cheap, openStore, recordingLog } from '../support.ts';

let database: Database;
let clock: HandClock;
let log: ReturnType<typeof recordingLog>;
let board: NoticeBoard;
/** The users of each hint to the other nodes. */
let hints: number[][];
/** The number of sessions in each question to the database. */
let asked: number[];
/** The database does not answer. */
let away: boolean;
/** An ending that is known here ends every session. */
let ended: boolean;
/** Time passes by so much with each look at the clock. */
let readTakesMs: number;

beforeAll(async () => {
  database = await openStore(backends().at(-1) ?? 'embedded');
});
afterAll(() => database.close());
beforeEach(() => {
  clock = openHandClock();
  readTakesMs = 0;
  log = recordingLog();
  [hints, asked, away, ended] = [[], [], false, false];
  const watched: Database = {
    ...database,
    query: (config) => {
      if (config.name === 'ends_of_sessions') asked.push((config.values[0] as string[]).length);
      return away ? Promise.reject(new Error('it is away')) : database.query(config);
    },
  };
  board = new NoticeBoard({
    database: watched,
    system: {
      ...realSystem(log.log, cheap),
      ...timeOf(clock),
      monotonicMs: () => (clock.monotonicMs += readTakesMs),
    },
    ends: () => ended,
    hint: (userIds) => void hints.push(userIds),
    flushMs: () => 5000,
  });
});

/** Listens to a session whose row is gone. */
function listen(expiresAt: Date, userId = 1): { heard: string[]; stop: () => void } {
  const heard: string[] = [];
  const stop = board.listen(liveSession({ expiresAt, userId, subject: String(userId) }), {
    ended: ({ reason }) => void heard.push(reason),
    changed: () => void heard.push('changed'),
  });
  return { heard, stop };
}
const past = (): Date => new Date(clock.wallMs);
const future = (): Date => new Date(clock.wallMs + 1000);

test('asks the database about sessions that may have expired alone, and 500 at a time', async () => {
  const stays = listen(future());
  await board.look();
  expect(asked).toEqual([]);
  const expired = Array.from({ length: 500 }, () => listen(past(), 2));
  await board.look();
  expect(asked).toEqual([500]);
  expect(expired.every(({ heard: [why] }) => why === 'absolute_timeout')).toBe(true);
  for (let i = 0; i < 501; i++) listen(past(), 2);
  await board.look();
  expect(asked).toEqual([500, 500, 1]);
  expect(board.state()).toMatchObject({ listeners: 1, ended: 1001 });
  // By the clock it is looked for regularly.
  clock.pass(5000);
  await until('it is noticed', async () => stays.heard.length > 0);
  expect([asked.at(-1), board.state().listeners]).toEqual([1, 0]);
  await board.close();
});

test('asks again when the database did not answer, and says why', async () => {
  [away, ended] = [true, true];
  const { heard } = listen(future());
  await until('it was asked about', async () => log.lines.length > 0);
  expect(log.lines.map((line) => JSON.parse(line))).toMatchObject([
    {
      level: 'warn',
      msg: 'could not check the sessions of open sockets; will retry',
      err: { message: 'it is away' },
    },
  ]);
  expect(heard).toEqual([]);
  away = false;
  await board.look();
  expect([asked, heard]).toEqual([[1, 1], ['absolute_timeout']]);
  await board.close();
});

test('tells other nodes of changed users a moment later, each once, in bounded numbers', async () => {
  for (const userId of [7, 8, 7]) board.changed(userId);
  clock.pass(49);
  expect(hints).toEqual([]);
  clock.pass(1);
  expect(hints).toEqual([[7, 8]]);
  hints = [];
  // Those of a flood that have no room are told by their next change, or read the list themselves.
  for (let i = 0; i < 10_200; i++) board.changed(i);
  clock.pass(50);
  expect(hints.map(({ length }) => length)).toEqual(Array.from({ length: 20 }, () => 500));
  hints = [];
  board.changed(10_199);
  clock.pass(50);
  expect(hints).toEqual([[10_199]]);
  board.changed(1);
  await board.close();
  clock.pass(50);
  expect(hints).toHaveLength(1);
});

test('tells a user of changes at most every 400 ms, the last one included', async () => {
  const { heard, stop } = listen(future());
  const stranger = listen(future(), 2);
  const change = async (): Promise<number> => {
    board.heardOf([1, 3]);
    await nextTurn();
    return heard.length;
  };
  expect([await change(), await change(), await change()]).toEqual([1, 1, 1]);
  clock.pass(399);
  await nextTurn();
  expect(heard).toHaveLength(1);
  clock.pass(1);
  await nextTurn();
  expect(heard).toEqual(['changed', 'changed']);
  clock.pass(400);
  expect(await change()).toBe(3);
  await change();
  stop();
  clock.pass(400);
  await nextTurn();
  expect([heard.length, stranger.heard.length, board.state().changed]).toEqual([3, 0, 3]);
  await board.close();
});

/** An ending of all sessions of these users. */
const endingOfUsers = (userIds: number[]): EndingEvent =>
  eventOf(
    {
      at: new Date(clock.wallMs),
      actor: 'system',
      contract: 'v1',
      ipAddress: null,
      userAgent: '',
      requestId: null,
    },
    { scope: 'users', reason: 'admin_logout', position: 1000, user_ids: userIds },
  );
const took = (userIds: number[]): void => {
  const event = endingOfUsers(userIds);
  board.took(endingOf(event), event);
};

test('takes two milliseconds of a turn at most, whatever work comes together', async () => {
  const heard = [1, 1, 2].map((userId) => listen(future(), userId).heard);
  // Each step takes longer than a turn may: one is done in each.
  readTakesMs = 3;
  board.heardOf([1, 2]);
  for (let turn = 1; turn <= 3; turn++) {
    await nextTurn();
    expect(heard.flat()).toHaveLength(turn);
  }
  expect(heard).toEqual([['changed'], ['changed'], ['changed']]);
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  // Users who do not listen are steps too.
  took([7, 8, 9, 2]);
  for (let turn = 1; turn <= 3; turn++) {
    await nextTurn();
    expect(heard[2]).toEqual(['changed']);
  }
  await nextTurn();
  expect(heard[2]).toEqual(['changed', 'admin_logout']);
  // The rest is done in one turn.
  readTakesMs = 0;
  await nextTurn();
  await board.close();
});

test('spends no time on an ending of users who listen elsewhere', async () => {
  listen(future());
  readTakesMs = 3;
  const { monotonicMs } = clock;
  took([7, 8]);
  await nextTurn();
  expect(clock.monotonicMs).toBe(monotonicMs);
  took([7, 1]);
  await nextTurn();
  expect(clock.monotonicMs).toBeGreaterThan(monotonicMs);
  await board.close();
});
