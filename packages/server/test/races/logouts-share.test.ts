/** Logouts of single sessions that arrive together share a commit, and a lone one does not wait (docs/decisions/0013). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { afterCommit } from '../../src/cluster/endings/after-commit.ts';
import { createEndOne, type EndOne, type PendingConfirmation } from '../../src/cluster/endings/end-one.ts';
import type { Database } from '../../src/store/database.ts';
import type { SessionToRevoke } from '../../src/store/revoke-sessions.ts';
import type { Timers } from '../../src/system/timers.ts';
import { opened } from '../http/logins.ts';
import { backends } from '../support.ts';
import { openPlace, type Place } from './node.ts';

const TOGETHER = 20;

/** However long a statement takes, none overtakes it: `cluster/end-one.test.ts` is about that. */
const STANDING: Timers = { after: () => () => undefined, every: () => () => undefined };

describe.each(backends())('logouts of single sessions, %s', (backend) => {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace(backend);
  });
  afterAll(() => place.close());

  async function openSession(): Promise<SessionToRevoke> {
    const { id: userId } = await place.user();
    const { sid } = await opened(place.at(0).call, userId);
    const act = {
      at: place.clock.now(),
      actor: `user:${userId}/${sid}`,
      contract: 'v1',
      ipAddress: null,
      userAgent: '',
      requestId: null,
    };
    return { sid, userId, act, reason: 'logout' };
  }
  const openSessions = (count: number): Promise<SessionToRevoke[]> =>
    Promise.all(Array.from({ length: count }, openSession));

  /** Ends sessions on the real database, and counts the statements that it sends. */
  function counted(): { endOne: EndOne; statements: () => number } {
    const { world } = place.at(0);
    const { database } = world;
    let statements = 0;
    const counting: Database = {
      ...database,
      query(config) {
        statements++;
        return database.query(config);
      },
    };
    return {
      endOne: createEndOne(
        counting,
        (endings) => afterCommit(world, endings),
        STANDING,
        () => false,
      ),
      statements: () => statements,
    };
  }

  /** By transaction, the positions of the events that it committed. */
  async function commits(told: readonly (PendingConfirmation | null)[]): Promise<number[][]> {
    const positions = told.map((one) => one?.ending.event.position);
    const rows = await place.rows<{ positions: number[] }>(
      `select array_agg(position order by position) as positions from events where position = any($1::bigint[])
       group by xid order by xid`,
      positions,
    );
    return rows.map((row) => row.positions);
  }

  test('those that arrive while one is under way are committed together, each with its own event', async () => {
    const [first, ...others] = (await openSessions(1 + TOGETHER)) as [SessionToRevoke, ...SessionToRevoke[]];
    const { endOne, statements } = counted();
    const told = await Promise.all([endOne(first), ...others.map(endOne)]);
    expect(told.map((one) => one?.ending.ended)).toEqual([first, ...others].map(({ sid }) => [sid]));
    expect((await commits(told)).map(({ length }) => length)).toEqual([1, TOGETHER]);
    expect(statements()).toBe(2);
    // They are confirmed together as well: one message to every replica, and one wait.
    const confirming = told.map((one) => one?.confirming);
    expect(new Set(confirming).size).toBe(2);
    for (const one of confirming) await one;
  });

  test('a lone one is sent at once', async () => {
    const { endOne, statements } = counted();
    for (const one of await openSessions(3)) {
      const before = statements();
      const ending = endOne(one);
      expect(statements()).toBe(before + 1);
      const told = await ending;
      expect(await commits([told])).toEqual([[told?.ending.event.position]]);
    }
  });
});
