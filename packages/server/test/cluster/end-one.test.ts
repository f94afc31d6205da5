import { expect, onTestFinished, test } from 'vitest';
import { afterCommit } from '../../src/cluster/endings/after-commit.ts';
import { createEndOne } from '../../src/cluster/endings/end-one.ts';
import { actOf, type RequestContext } from '../../src/world/world.ts';
import { newUser, opened } from '../http/logins.ts';
import { openNode } from '../races/node.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { hold } from '../services/held-database.ts';
import { migrated } from '../support.ts';

test.runIf(hasPostgres())('a logout overtakes a statement that does not return', async () => {
  const on = await openNode({ DATABASE_URL: await freshDatabase(migrated) });
  onTestFinished(() => on.close());
  const { world } = on;
  const user = await newUser(on.call);
  const [first, second] = [await opened(on.call, user.id), await opened(on.call, user.id)];
  const patience: { ms: number; over: () => void }[] = [];
  const endOne = createEndOne(world.database, (endings) => afterCommit(world, endings), {
    after: (ms, over) => {
      patience.push({ ms, over });
      return () => undefined;
    },
    every: () => () => undefined,
  });
  const context: RequestContext = {
    contract: 'v1',
    ipAddress: '192.0.2.1',
    userAgent: 'tests',
    requestId: 'test',
  };
  const act = actOf(world, context, `user:${user.id}`);
  const end = ({ sid }: { sid: string }) => endOne({ sid, userId: user.id, act, reason: 'logout' });

  const held = hold(world.database, 'end_each_free_session', 'before');
  const stuck = end(first);
  await held.reached;
  // It waits for the statement that is under way, and would for ever.
  const other = end(second);
  expect(patience.map(({ ms }) => ms)).toEqual([25]);
  patience[0]?.over();
  expect((await other)?.ending.ended).toEqual([second.sid]);
  held.release();
  expect((await stuck)?.ending.ended).toEqual([first.sid]);
});
