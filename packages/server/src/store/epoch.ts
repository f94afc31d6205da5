import type { Provenance } from '@curfew/protocol/node';
import type { Database } from './database.ts';
import { bringLogBack } from './restored.ts';
import { type Queryable, statement } from './statement.ts';

/*
 * The database's epoch: one history, until the database goes back (docs/decisions/0020). Each answer that a node relies on
 * carries the epoch of the same snapshot.
 */

/** The columns that a statement adds to its row, besides the node's own beat. */
export type ProvenanceRow = Pick<Provenance, 'epoch' | 'settled'> & { moved: boolean; beat: number | null };

/**
 * Whether the epoch was recorded in another database, or its rows were restored into the same one: then another transaction than
 * the one that they name has written them.
 * @param i the alias of `incarnation`
 */
export const movedOf = (i: string): string =>
  `coalesce(${i}.identity <> database_identity()
     or ${i}.xmin::text::bigint <> ${i}.written::text::bigint % 4294967296, false)`;

export const MOVED = `(select ${movedOf('i')} from incarnation i)`;

/** The columns of `ProvenanceRow` without the beat. `moved` is `foreign`, which is an SQL keyword. */
export const PROVENANCE = `(select epoch from incarnation) as epoch, (select settled from incarnation) as settled,
  ${MOVED} as moved`;

export const provenanceOf = ({ epoch, moved, settled, beat }: ProvenanceRow): Provenance => ({
  epoch,
  foreign: moved,
  settled,
  beat,
});

const claim = statement<[], never>(
  'claim_incarnation',
  // Nothing that could be lost was given out yet.
  `update incarnation set identity = database_identity(), started = pg_postmaster_start_time() where identity is null`,
);

/** Identifies a new database. Call it at every start, before the node joins. */
export async function claimIncarnation(on: Queryable): Promise<void> {
  await claim.run(on);
}

const current = statement<[], { epoch: string }>('epoch', 'select epoch from incarnation');

/** The recorded epoch. */
export async function readEpoch(on: Queryable): Promise<string> {
  const [row] = await current.run(on);
  if (!row) throw new Error('the database returned no epoch');
  return row.epoch;
}

const renew = statement<[seen: string, above: string], { epoch: string }>(
  'new_epoch',
  // Positions begin above any that the lost history can have used (see next_cut). Its sequence may have been left behind (logical
  // replication).
  `with renewed as (
     update incarnation set
       epoch = greatest(split_part(epoch, '.', 1)::bigint, split_part($2, '.', 1)::bigint) + 1 || '.'
         || left(replace(gen_random_uuid()::text, '-', ''), 12),
       identity = database_identity(), settled = false, started = pg_postmaster_start_time()
     where epoch = $1 returning epoch
   )
   select r.epoch, setval('positions', greatest((extract(epoch from clock_timestamp()) * 1000000)::bigint, 1000000 + greatest(
     (select last_value from positions), (select max(position) from events), (select max(born) from user_sessions),
     (select max(position) from cuts), (select max(beat) from nodes))))
   from renewed r`,
  'node',
);

/**
 * Begins a new epoch in a database that went back, unless another node has replaced the one that was seen. Makes the log readable
 * first, if it came from another server.
 * @returns whether this call began it
 */
export async function beginEpoch(database: Database, seen: string, above: string): Promise<boolean> {
  await bringLogBack(database);
  return (await renew.run(database, seen, above)).length > 0;
}

const settled = statement<[epoch: string], never>(
  'settle_epoch',
  'update incarnation set settled = true where epoch = $1 and identity = database_identity()',
  'node',
);

/** All leases from before the epoch have expired. */
export async function settleEpoch(on: Queryable, epoch: string): Promise<void> {
  await settled.run(on, epoch);
}
