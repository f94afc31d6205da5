import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import type { Propagation } from '@curfew/protocol/node';
import { afterCommit } from '../../src/cluster/endings/after-commit.ts';
import { createEndOne } from '../../src/cluster/endings/end-one.ts';
import type { SessionToRevoke } from '../../src/store/revoke-sessions.ts';
import type { Timers } from '../../src/system/timers.ts';
import { actOf, type RequestContext, type World } from '../../src/world/world.ts';
import { newUser, opened } from '../http/logins.ts';
import { openNode } from '../races/node.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { hold } from '../services/held-database.ts';
import { migrated } from '../support.ts';

const context: RequestContext = {
  contract: 'v1',
  ipAddress: '192.0.2.1',
  userAgent: 'tests',
  requestId: 'test',
};

interface Pause {
  ms: number;
  over: () => void;
}

/** Pauses that end when the test says so. `until` waits for what a pause that begins or is called off makes true. */
function handTimers(): {
  timers: Timers;
  ofMs: (ms: number) => Pause[];
  until: (isSo: () => boolean) => Promise<void>;
} {
  const pauses: Pause[] = [];
  let changed = (): void => undefined;
  const timers: Timers = {
    after: (ms, over) => {
      const pause = { ms, over };
      pauses.push(pause);
      changed();
      return () => {
        pauses.splice(pauses.indexOf(pause), 1);
        changed();
      };
    },
    every: () => () => undefined,
  };
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      changed = () => isSo() && resolve();
      changed();
    });
  return { timers, ofMs: (ms) => pauses.filter((pause) => pause.ms === ms), until };
}

type S = SessionToRevoke;

/** A node with a user, and that user's sessions. */
async function openOne(): Promise<{ world: World; session: () => Promise<SessionToRevoke> }> {
  const on = await openNode({ DATABASE_URL: await freshDatabase(migrated) });
  onTestFinished(() => on.close());
  const { world } = on;
  const user = await newUser(on.call);
  const act = actOf(world, context, `user:${user.id}`);
  const session = async (): Promise<SessionToRevoke> => {
    const { sid } = await opened(on.call, user.id);
    return { sid, userId: user.id, act, reason: 'logout' };
  };
  return { world, session };
}

test.runIf(hasPostgres())('a logout overtakes a statement that does not return', async () => {
  const { world, session } = await openOne();
  const [first, second] = [await session(), await session()];
  const { timers, ofMs } = handTimers();
  const endOne = createEndOne(
    world.database,
    (endings) => afterCommit(world, endings),
    timers,
    () => false,
  );

  const held = hold(world.database, 'end_each_free_session', 'before');
  const stuck = endOne(first);
  await held.reached;
  // It waits for the statement that is under way, and would for ever.
  const other = endOne(second);
  expect(ofMs(25)).toHaveLength(1);
  ofMs(25)[0]?.over();
  expect((await other)?.ending.ended).toEqual([second.sid]);
  held.release();
  expect((await stuck)?.ending.ended).toEqual([first.sid]);
});

test.runIf(hasPostgres())(
  'with many replicas, logouts gather while a commit is being confirmed, and come again together',
  async () => {
    const { world, session } = await openOne();
    const sessions = await Promise.all(Array.from({ length: 6 }, session));
    const [first, second, third, fourth, fifth, sixth] = sessions as [S, S, S, S, S, S];
    const { timers, ofMs, until } = handTimers();
    const commits: { count: number; confirmed: () => void }[] = [];
    const endOne = createEndOne(
      world.database,
      (endings) =>
        new Promise<Propagation>((resolve) => {
          commits.push({
            count: endings.length,
            confirmed: () => resolve({ acknowledged: 9, waitedOut: 0 }),
          });
        }),
      timers,
      () => true,
    );

    // A lone one goes at once.
    await endOne(first);
    expect(ofMs(1)).toEqual([]);
    await until(() => ofMs(10).length === 1);
    const both = [endOne(second), endOne(third)];
    commits[0]?.confirmed();
    await Promise.all(both);
    expect(commits.map(({ count }) => count)).toEqual([1, 2]);

    // After two together, the next one waits a moment for more.
    await until(() => ofMs(10).length === 1);
    commits[1]?.confirmed();
    await until(() => ofMs(10).length === 0);
    const next = [endOne(fourth)];
    await until(() => ofMs(1).length === 1);
    next.push(endOne(fifth));
    ofMs(1)[0]?.over();
    await Promise.all(next);
    expect(commits.map(({ count }) => count)).toEqual([1, 2, 2]);

    // A replica that does not acknowledge holds the next one up for a moment only.
    const last = endOne(sixth);
    await until(() => ofMs(10).length === 1);
    ofMs(10)[0]?.over();
    await until(() => ofMs(1).length > 1);
    ofMs(1).at(-1)?.over();
    expect((await last)?.ending.ended).toEqual([sixth.sid]);
  },
);

/** Logouts of sessions that do not exist, on the real database, and how many each statement has. */
function counted(world: World, timers: Timers): { endOne: () => Promise<unknown>; sizes: number[] } {
  const sizes: number[] = [];
  const database: World['database'] = {
    ...world.database,
    query: (config) => {
      if (config.name === 'end_each_free_session') sizes.push((config.values[0] as string[]).length);
      return world.database.query(config);
    },
  };
  const act = actOf(world, context, 'user:1');
  const endOne = createEndOne(
    database,
    (endings) => afterCommit(world, endings),
    timers,
    () => false,
  );
  return {
    endOne: () => endOne({ sid: randomUUID(), userId: 1, act, reason: 'logout' }),
    sizes,
  };
}

test.runIf(hasPostgres())(
  'at most three statements end sessions at a time, and 500 sessions each',
  async () => {
    const { world } = await openOne();
    const { timers, ofMs } = handTimers();
    const { endOne, sizes } = counted(world, timers);
    const overtake = (): void => ofMs(25).at(-1)?.over();
    const holds = [1, 2, 3].map(() => hold(world.database, 'end_each_free_session', 'before'));
    const answers = [endOne()];
    for (let running = 2; running <= 3; running++) {
      answers.push(endOne());
      overtake();
    }
    for (const { reached } of holds) await reached;
    for (let i = 0; i < 501; i++) answers.push(endOne());
    overtake();
    expect(sizes).toEqual([1, 1, 1]);
    holds[0]?.release();
    await Promise.all(answers.slice(3));
    expect(sizes).toEqual([1, 1, 1, 500, 1]);
    for (const { release } of holds) release();
    await Promise.all(answers);
  },
);

test.runIf(hasPostgres())('with few replicas, the next logout waits for no confirmation', async () => {
  const { world, session } = await openOne();
  const [first, second] = [await session(), await session()];
  const { timers, ofMs } = handTimers();
  const endOne = createEndOne(
    world.database,
    () => new Promise<Propagation>(() => undefined),
    timers,
    () => false,
  );
  await endOne(first);
  await endOne(second);
  expect([...ofMs(1), ...ofMs(10)]).toEqual([]);
});
