import { composed } from '../domain/email-address.ts';
import { OTHERS, REFUSALS, type RefusalType, refusedActor } from '../domain/refusal-types.ts';
import type { EventFilter, ReadFrom } from './log/page.ts';
import { type Queryable, statement, statementWithFilters } from './statement.ts';

/** Refused attempts of one kind, on one account, from one source, within one minute. */
export interface Refusal {
  type: RefusalType;
  userId: number | null;
  /** The text of the address field: looked up when the row is written, and not stored. */
  typed: string | null;
  source: string;
  minute: Date;
  count: number;
  at: Date;
  lastAt: Date;
  /** The last attempt's. */
  last: {
    contract: string;
    client_id: string | null;
    ip_address: string | null;
    user_agent: string;
    request_id: string | null;
    code: string | null;
  };
}

/*
 * The typed addresses are looked up as a login does (store/users.ts). In the order of the key, so that two nodes lock common rows
 * in one order.
 */
const writeAll = statement<[refusals: string], never>(
  'write_refusals',
  `with given as (
     select g.type, coalesce(g.user_id, named.id) as user_id, g.source, g.minute, g.count, g.at, g.last_at, g.last
     from jsonb_to_recordset($1::text::jsonb) as g (type text, user_id bigint, typed text, composed text, source text,
       minute timestamptz, count bigint, at timestamptz, last_at timestamptz, last jsonb)
     left join lateral (
       select u.id from users u
       where lower(u.email collate "C") in (lower(g.typed collate "C"), lower(g.composed collate "C"))
         and u.deleted_at is null
       order by lower(u.email collate "C") = lower(g.typed collate "C") desc limit 1
     ) named on true
   ), summed as (
     select type, user_id, source, minute, sum(count)::bigint as count, min(at) as at, max(last_at) as last_at,
       (array_agg(last order by last_at desc))[1] as last
     from given group by type, user_id, source, minute
   )
   insert into refusals as r
     (type, user_id, source, minute, count, at, last_at, contract, client_id, ip_address, user_agent, request_id, code)
   select type, user_id, source, minute, count, at, last_at, last->>'contract', last->>'client_id',
     last->>'ip_address', last->>'user_agent', last->>'request_id', last->>'code'
   from summed order by minute, type, coalesce(user_id, 0), source
   on conflict (minute, type, coalesce(user_id, 0), source) do update set
     xid = excluded.xid, count = r.count + excluded.count, at = least(r.at, excluded.at),
     last_at = greatest(r.last_at, excluded.last_at), contract = excluded.contract, client_id = excluded.client_id,
     ip_address = excluded.ip_address, user_agent = excluded.user_agent, request_id = excluded.request_id,
     code = excluded.code`,
);

/** Adds to the stored counts in one statement, because other nodes count the same minute. */
export async function writeRefusals(on: Queryable, refusals: readonly Refusal[]): Promise<void> {
  const rows = refusals.map(({ type, userId, typed, source, minute, count, at, lastAt, last }) => ({
    type,
    user_id: userId,
    typed,
    composed: typed === null ? null : composed(typed),
    source,
    minute,
    count,
    at,
    last_at: lastAt,
    last,
  }));
  await writeAll.run(on, JSON.stringify(rows));
}

/** A row as it is read. */
export interface RefusalRow {
  position: number;
  type: RefusalType;
  user_id: number | null;
  source: string;
  count: number;
  at: Date;
  last_at: Date;
  contract: string | null;
  client_id: string | null;
  ip_address: string | null;
  user_agent: string;
  request_id: string | null;
  code: string | null;
}

const COLUMNS = `r.position, r.type, r.user_id, r.source, r.count, r.at, r.last_at, r.contract, r.client_id, r.ip_address,
  r.user_agent, r.request_id, r.code`;

const CONDITIONS = [
  'r.type = any($?::text[])',
  'r.user_id = $?',
  'r.user_id is null or r.type = any($?::text[])',
  'r.client_id = $?',
  'r.at >= $?',
  'r.at < $?',
  'r.position < $?',
  'r.position > $?',
].map((condition) => `(${condition})`);
const page = (name: string, order: string) =>
  statementWithFilters<RefusalRow>(
    name,
    1,
    (conditions) =>
      `select ${COLUMNS} from refusals r where true ${conditions} order by r.position ${order} limit $1`,
    CONDITIONS,
  );
const newest = page('newest_refusals', 'desc');
const oldest = page('oldest_refusals', 'asc');

/** A page of the refusals that match the log's filter, as `readEvents` reads the log. */
export async function readRefusals(
  on: Queryable,
  filter: EventFilter,
  from: ReadFrom,
  limit: number,
): Promise<RefusalRow[]> {
  const wanted = wantedOf(filter);
  if (wanted === null) return [];
  const { types, userId, anonymous } = wanted;
  const { clientId, since, until } = filter;
  return (from.after === null ? newest : oldest).run(
    on,
    [limit],
    [types, userId, anonymous, clientId, since, until, from.before, from.after],
  );
}

/** The filter's conditions on refusals; null when none can match. */
function wantedOf({ type, reason, userId, actor, refused }: EventFilter): {
  types: readonly RefusalType[] | null;
  userId: number | null;
  anonymous: readonly RefusalType[] | null;
} | null {
  const ofType = REFUSALS.filter((one) => type === null || one === type);
  // A reason is that of an ending.
  if (refused === false || reason !== null || ofType.length === 0) return null;
  const types = type === null ? null : ofType;
  if (actor === null) return { types, userId, anonymous: null };
  if (actor === 'anonymous') {
    const unproven = ofType.filter((one) => refusedActor(one, 1) === actor);
    return { types, userId, anonymous: unproven };
  }
  const actorId = actor.startsWith('user:') ? Number(actor.slice(5)) : null;
  const proven = ofType.filter((one) => refusedActor(one, actorId) === actor);
  if (proven.length === 0 || (userId !== null && userId !== actorId)) return null;
  return { types: proven, userId: actorId, anonymous: null };
}

/** Filters a row in memory. */
export function isWanted(row: RefusalRow, filter: EventFilter): boolean {
  const wanted = wantedOf(filter);
  if (wanted === null) return false;
  const { types, userId, anonymous } = wanted;
  const { clientId, since, until } = filter;
  return (
    (types === null || types.includes(row.type)) &&
    (userId === null || row.user_id === userId) &&
    (anonymous === null || row.user_id === null || anonymous.includes(row.type)) &&
    (clientId === null || row.client_id === clientId) &&
    (since === null || row.at >= since) &&
    (until === null || row.at < until)
  );
}

/** No transaction below this one is open. */
interface Floor {
  floor: string;
}
const rowsSince = statement<
  [since: string, limit: number],
  (RefusalRow & Floor) | (Floor & { position: null })
>(
  'refusals_since',
  `select now.floor, r.* from (select pg_snapshot_xmin(pg_current_snapshot())::text as floor) now
   left join (select ${COLUMNS} from refusals r where r.xid >= $1::text::xid8 order by r.xid desc limit $2) r on true
   order by r.position`,
);

/**
 * The newest rows written since a transaction, some of them a second time.
 * @param since null: none, only the cursor to continue from
 */
export async function readRefusalsSince(
  on: Queryable,
  since: string | null,
  limit: number,
): Promise<{ rows: RefusalRow[]; since: string }> {
  const rows = await rowsSince.run(on, since ?? '0', since === null ? 0 : limit);
  const [first] = rows;
  if (!first) throw new Error('the database returned no snapshot');
  return { rows: rows.flatMap((row) => (row.position === null ? [] : [row])), since: first.floor };
}

const tooMany = statement<[limit: number], { over: number }>(
  'count_refusals',
  `select greatest(0, count(*) - $1::bigint)::int as over
   from (select from refusals limit $1::bigint + 100000) as counted`,
);

const drop = (name: string, which: string) =>
  statement<[count: number], { dropped: number }>(
    name,
    `with gone as (
       delete from refusals where position = any(array(
         select position from refusals where ${which} order by position limit $1))
       returning 1
     ) select count(*)::int as dropped from gone`,
  );
// First rows without an account, so that a flood of those displaces nothing else.
const DROPS = [drop('drop_refusals_of_nobody', 'user_id is null'), drop('drop_refusals', 'true')];

/** The most rows to keep, about 300 MB. */
const MAX_ROWS = 1_000_000;
const DROP_AT_ONCE = 10_000;

/** Deletes the excess over the bound. */
export async function boundRefusals(on: Queryable, maxRows: number = MAX_ROWS): Promise<void> {
  let [{ over } = { over: 0 }] = await tooMany.run(on, maxRows);
  for (const some of DROPS)
    while (over > 0) {
      const [{ dropped } = { dropped: 0 }] = await some.run(on, Math.min(over, DROP_AT_ONCE));
      if (dropped === 0) break;
      over -= dropped;
    }
}

/** Whether a row is the one for sources without rows of their own. */
export const isOfOthers = ({ source }: RefusalRow): boolean => source === OTHERS;
