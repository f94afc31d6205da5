import { type Queryable, statement } from './statement.ts';

// Every beat is a position of its own: whoever still means to take an earlier registration out must not hit this one.
// A registration whose answer was lost is repeated later, and counts from then.
const register = statement<[id: string, now: Date], { now: Date }>(
  'register_node',
  `insert into nodes (id, started_at, beat) values ($1, $2, nextval('positions'))
   on conflict (id) do update set beat = excluded.beat
   returning clock_timestamp() as now`,
  'node',
);

/** Registers a node. From the commit on every logout waits for it. Answers the database's clock. */
export async function registerNode(on: Queryable, id: string, now: Date): Promise<Date> {
  const [row] = await register.run(on, id, now);
  if (!row) throw new Error('the node was not registered');
  return row.now;
}

const beat = statement<[id: string], { now: Date }>(
  'beat_node',
  `update nodes set beat = nextval('positions') where id = $1 returning clock_timestamp() as now`,
  'node',
);

/** Says that the node lives. Answers the database's clock, or null when the node is registered no longer. */
export async function beatNode(on: Queryable, id: string): Promise<Date | null> {
  return (await beat.run(on, id))[0]?.now ?? null;
}

const remove = statement<[id: string], never>('remove_node', `delete from nodes where id = $1`, 'node');

/** Takes a node out that answers from memory no longer. */
export async function removeNode(on: Queryable, id: string): Promise<void> {
  await remove.run(on, id);
}

const removeSilent = statement<[id: string, beat: number], { id: string }>(
  'remove_silent_node',
  `delete from nodes where id = $1 and beat = $2 returning id`,
  'node',
);

/** Takes a node out whose beat still is what it was when it was last seen to move. */
export async function removeSilentNode(on: Queryable, id: string, seenBeat: number): Promise<boolean> {
  return (await removeSilent.run(on, id, seenBeat)).length > 0;
}

const all = statement<[], { id: string; beat: number }>('all_nodes', `select id, beat from nodes`, 'node');

export function readNodes(on: Queryable): Promise<{ id: string; beat: number }[]> {
  return all.run(on);
}

const list = statement<[], { id: string; started_at: Date }>(
  'list_nodes',
  `select id, started_at from nodes order by started_at, id limit 1000`,
);

/** The nodes for showing, the oldest first. */
export function listNodes(on: Queryable): Promise<{ id: string; started_at: Date }[]> {
  return list.run(on);
}

const ring = statement<[channel: string, payload: string], never>('ring', `select pg_notify($1, $2)`, 'node');

/** Rings the other processes. */
export async function ringNodes(on: Queryable, channel: string, payload: string): Promise<void> {
  await ring.run(on, channel, payload);
}

const clock = statement<[], { now: Date }>('database_clock', `select clock_timestamp() as now`);

/** The database's clock. */
export async function readClock(on: Queryable): Promise<Date> {
  const [row] = await clock.run(on);
  if (!row) throw new Error('the database gave no time');
  return row.now;
}

const identity = statement<[], { name: string }>(
  'database_identity',
  `select (select system_identifier from pg_control_system()) || '.' || oid as name
   from pg_database where datname = current_database()`,
);

/** A name that no other database has: of the cluster, and in it. */
export async function readIdentity(on: Queryable): Promise<string> {
  const [row] = await identity.run(on);
  if (!row) throw new Error('the database gave no name');
  return row.name;
}
