import type { Standing } from '@curfew/protocol/node';
import type { Database } from './database.ts';
import { bringLogBack } from './restored.ts';
import { type Queryable, statement } from './statement.ts';

/*
 * The database's epoch: one history, as long as the database does not go back (docs/decisions/0020). Whatever a node takes for true
 * comes with the epoch that the same snapshot saw.
 */

/** What a statement adds to its row, besides the node's own beat. */
export type StandingRow = Pick<Standing, 'epoch' | 'settled'> & { moved: boolean; beat: number | null };

/**
 * Whether this is another database than the one that the epoch was recorded in, or its rows were put back into the same: then
 * another transaction has written them than the one that they name.
 * @param i the alias of `incarnation`
 */
export const movedOf = (i: string): string =>
  `coalesce(${i}.identity <> database_identity()
     or ${i}.xmin::text::bigint <> ${i}.written::text::bigint % 4294967296, false)`;

export const MOVED = `(select ${movedOf('i')} from incarnation i)`;

/** Columns of `StandingRow` in any statement, but for the beat. `moved` is `foreign`, which is a word of SQL's. */
export const STANDING = `(select epoch from incarnation) as epoch, (select settled from incarnation) as settled,
  ${MOVED} as moved`;

export const standingOf = ({ epoch, moved, settled, beat }: StandingRow): Standing => ({
  epoch,
  foreign: moved,
  settled,
  beat,
});

const claim = statement<[], never>(
  'claim_incarnation',
  // Nothing was given out yet that could be lost.
  `update incarnation set identity = database_identity(), started = pg_postmaster_start_time() where identity is null`,
);

/** The first node on a new database says which one it is. To be called at every start, before the node joins. */
export async function claimIncarnation(on: Queryable): Promise<void> {
  await claim.run(on);
}

const current = statement<[], { epoch: string }>('epoch', 'select epoch from incarnation');

/** The recorded epoch. */
export async function readEpoch(on: Queryable): Promise<string> {
  const [row] = await current.run(on);
  if (!row) throw new Error('the database gave no epoch');
  return row.epoch;
}

const renew = statement<[seen: string, above: string], { epoch: string }>(
  'new_epoch',
  // Positions begin above any that the lost history can have given out (see next_cut). Its sequence may have been left behind, too
  // (logical replication).
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
 * Begins a new epoch in a database that has gone back, unless another node has done so in place of the one that was seen. The log
 * is made readable here first, where it came from another server.
 */
export async function beginEpoch(database: Database, seen: string, above: string): Promise<void> {
  await bringLogBack(database);
  await renew.run(database, seen, above);
}

const settled = statement<[epoch: string], never>(
  'settle_epoch',
  'update incarnation set settled = true where epoch = $1 and identity = database_identity()',
  'node',
);

/** Whoever was fresh before the epoch is so no longer. */
export async function settleEpoch(on: Queryable, epoch: string): Promise<void> {
  await settled.run(on, epoch);
}
