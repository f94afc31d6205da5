/** A node among others: what it tells them and hears of them, and what its log says when that fails. */
import { watch } from '@curfew/protocol/replica';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openDoorbell } from '../../src/cluster/nodes/doorbell.ts';
import { joinNodes, type Nodes } from '../../src/cluster/nodes/joined-node.ts';
import { nodeDatabase } from '../../src/cluster/nodes/node-database.ts';
import type { Database } from '../../src/store/database.ts';
import { realSystem } from '../../src/system/real.ts';
import { SOMEBODY, until } from '../races/node.ts';
import { openHandClock, timeOf } from '../services/hand-clock.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { cheap, migrated, openStore, recordingLog, testAuthenticator } from '../support.ts';

const LEASE_MS = 600_000;

interface Joined {
  node: Nodes;
  /** Its log of this level, with text and error. */
  said: (level: string) => { msg: string; err?: { message: string } }[];
}

// Time stands: everything is read on demand, and no lease runs out.
const clock = openHandClock();

async function join(database: Database, pageSize?: number): Promise<Joined> {
  const { log, lines } = recordingLog();
  const system = { ...realSystem(log, cheap), ...timeOf(clock) };
  const node = await joinNodes({
    database,
    system,
    leaseMs: LEASE_MS,
    keepMs: 2 * LEASE_MS,
    doorbell: openDoorbell(database, null, '', system, testAuthenticator),
    ...(pageSize !== undefined && { pageSize }),
  });
  onTestFinished(() => node.close());
  const said: Joined['said'] = (level) =>
    lines
      .map((line) => JSON.parse(line))
      .filter((line) => line.level === level)
      .map(({ msg, err }) => ({ msg, ...(err && { err }) }));
  return { node, said };
}

let sole: Database;
beforeAll(async () => {
  sole = await openStore('embedded');
});
afterAll(() => sole.close());

async function open(url: string): Promise<Database> {
  const database = await openStore('postgres', url);
  onTestFinished(() => database.close());
  return database;
}

test.runIf(hasPostgres())(
  'a node that cannot reach the others says so, and hints to them may be lost',
  async () => {
    const url = await freshDatabase(migrated);
    const database = await open(url);
    let reaches = true;
    const { node, said } = await join({
      ...database,
      query: (config) =>
        reaches || config.name !== 'ring'
          ? database.query(config)
          : Promise.reject(new Error('nobody hears it')),
    });
    // Alone it has nobody to tell.
    reaches = false;
    node.hint([1]);
    const other = await join(await open(url));
    const hinted: (readonly number[])[] = [];
    other.node.onHint((userIds) => void hinted.push(userIds));

    const confirming = node.confirmEarlier();
    await until('it has rung', async () => said('warn').length > 0);
    expect(said('warn')).toEqual([
      {
        msg: 'could not notify the other nodes',
        err: expect.objectContaining({ message: 'nobody hears it' }),
      },
    ]);
    expect(said('debug')).toEqual([]);
    node.hint([2]);
    await until('the hint is lost', async () => said('debug').length > 0);
    expect(said('debug')).toEqual([
      {
        msg: 'a hint to the other nodes was lost',
        err: expect.objectContaining({ message: 'nobody hears it' }),
      },
    ]);
    reaches = true;
    node.hint([3, 4]);
    await until('the other one hears it', async () => hinted.length > 0);
    expect(hinted).toEqual([[3, 4]]);
    // The ring was lost: the other one has not acknowledged, and is waited for.
    clock.pass(2 * LEASE_MS);
    await confirming;
  },
);

test('a sole node that begins reads every page of the log', async () => {
  const sids = Array.from({ length: 5 }, () => crypto.randomUUID());
  for (const sid of sids)
    await sole.query({
      text: `insert into events (at, type, scope, reason, user_id, session_ids, actor)
        values (now(), 'sessions_ended', 'sessions', 'logout', 1, array[$1::uuid], 'user:1')`,
      values: [sid],
    });
  const { node } = await join(sole, 2);
  expect(sids.filter((sid) => !node.ends(watch({ ...SOMEBODY, sid })))).toEqual([]);
});

test('a fault of the node on an answer of the database is logged', async () => {
  const { log, lines } = recordingLog();
  const questions = nodeDatabase(sole, realSystem(log, cheap), {
    read: () => ({ position: 0, ids: [], cuts: [], changed: [] }),
    takenIn: [],
    since: () => new Date(),
    pageSize: 10,
    reloads: [],
  });
  questions.nodes('somebody', () => {
    throw new Error('a node at fault');
  });
  await until('it is logged', async () => lines.length > 0);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    {
      level: 'error',
      msg: 'could not process an answer from the database',
      err: { message: 'a node at fault' },
    },
  ]);
});
