import { FEED_VERSION } from '@curfew/protocol/feed-messages';
import type { Provenance } from '@curfew/protocol/node';
import { movedOf, PROVENANCE, type ProvenanceRow, provenanceOf } from './epoch.ts';
import { type Queryable, statement } from './statement.ts';

// Every beat is a new position: an attempt to deregister the node by an earlier beat must not match. A registration whose answer
// was lost is repeated later, and counts from then.
const register = statement<[id: string, now: Date], ProvenanceRow & { raised: number; now: Date }>(
  'register_node',
  `with before as (select beat from nodes where id = $1)
   insert into nodes (id, started_at, beat, wire) values ($1, $2, nextval('positions'), ${FEED_VERSION})
   on conflict (id) do update set beat = excluded.beat
   returning beat as raised, (select beat from before) as beat, clock_timestamp() as now, ${PROVENANCE}`,
  'node',
);

/** The answer to a node's own beat: the new beat, and the database's clock. */
export type Beaten = Provenance & { raised: number; now: Date };

/** Registers a node. From the commit on every logout waits for it. */
export async function registerNode(on: Queryable, id: string, now: Date): Promise<Beaten> {
  const [row] = await register.run(on, id, now);
  if (!row) throw new Error('the node was not registered');
  return { ...provenanceOf(row), raised: row.raised, now: row.now };
}

const beat = statement<[id: string], ProvenanceRow & { raised: number | null; now: Date }>(
  'beat_node',
  `with before as (select beat from nodes where id = $1),
     raised as (update nodes set beat = nextval('positions') where id = $1 returning beat)
   select (select beat from raised) as raised, (select beat from before) as beat, clock_timestamp() as now, ${PROVENANCE}`,
  'node',
);

/** Raises the beat of a registered node. */
export async function beatNode(on: Queryable, id: string): Promise<Beaten> {
  const [row] = await beat.run(on, id);
  if (!row) throw new Error('the database returned no time');
  // Another node deregistered it while this statement waited.
  const there = row.raised !== null;
  return { ...provenanceOf(row), beat: there ? row.beat : null, raised: row.raised ?? 0, now: row.now };
}

const remove = statement<[id: string], never>('remove_node', `delete from nodes where id = $1`, 'node');

/** Deregisters a node that no longer answers from memory. */
export async function removeNode(on: Queryable, id: string): Promise<void> {
  await remove.run(on, id);
}

const removeSilent = statement<[id: string, beat: number, epoch: string], { id: string }>(
  'remove_silent_node',
  `delete from nodes where id = $1 and beat = $2 and (select epoch from incarnation) = $3 returning id`,
  'node',
);

/** Deregisters a node whose beat has not moved since it was seen. In another epoch the same beat may be another node's. */
export async function removeSilentNode(
  on: Queryable,
  id: string,
  seenBeat: number,
  epoch: string,
): Promise<boolean> {
  return (await removeSilent.run(on, id, seenBeat, epoch)).length > 0;
}

// Each logout waits for it, so it is minimal: one look at each table, and no arrays for the driver to parse.
const all = statement<[], Omit<ProvenanceRow, 'beat'> & { id: string | null; beat: number | null }>(
  'all_nodes',
  `select i.epoch, i.settled, ${movedOf('i')} as moved, n.id, n.beat
   from incarnation i left join nodes n on true`,
  'node',
);

/** The registry. @param asking the asking node */
export async function readNodes(
  on: Queryable,
  asking: string,
): Promise<Provenance & { nodes: { id: string; beat: number }[] }> {
  const rows = await all.run(on);
  const [first] = rows;
  if (!first) throw new Error('the database returned no registry');
  const nodes = rows.flatMap(({ id, beat }) => (id === null || beat === null ? [] : [{ id, beat }]));
  return { ...provenanceOf({ ...first, beat: nodes.find(({ id }) => id === asking)?.beat ?? null }), nodes };
}

const list = statement<[], { id: string; started_at: Date }>(
  'list_nodes',
  `select id, started_at from nodes order by started_at, id limit 1000`,
);

/** The nodes for display, the oldest first. */
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
  if (!row) throw new Error('the database returned no time');
  return row.now;
}

const identity = statement<[], { name: string }>(
  'database_identity',
  `select (select system_identifier from pg_control_system()) || '.' || oid as name
   from pg_database where datname = current_database()`,
);

/** A name that no other database has: of the cluster, and of the database in it. */
export async function readIdentity(on: Queryable): Promise<string> {
  const [row] = await identity.run(on);
  if (!row) throw new Error('the database returned no name');
  return row.name;
}
