import { hash } from 'node:crypto';
import { composed } from '../domain/email-address.ts';
import { type Queryable, statement } from './statement.ts';

/*
 * Limits are checked and counted in one order, which spends the attacker's budget first: address, pair, account. A refused
 * attempt does not count: one address can use up no more of an account than its pair may.
 *
 * Attempts on a pair and an account are counted before the password is verified and given back when it is right, so that a
 * hundred at once cannot all pass at zero. For an address only failures count: there may be an office behind it, and its attempts
 * under way are bounded by the hashing queue. A source from which the account has logged in before neither counts for the account
 * nor is delayed by it.
 */
const COUNT = `on conflict (key) do update set
     failures = case when l.window_ends <= $5 then 1 else l.failures + 1 end,
     window_ends = case when l.window_ends <= $5 then excluded.window_ends else l.window_ends end
   where l.window_ends <= $5 or l.failures <`;
const countAttempts = statement<
  [
    pair: Buffer | null,
    address: Buffer | null,
    account: Buffer,
    familiar: Buffer | null,
    now: Date,
    windowSeconds: number,
    pairLimit: number,
    addressLimit: number,
    accountLimit: number,
  ],
  { refused_until: Date | null }
>(
  'count_login_attempt',
  `with ends as (select $5::timestamptz + make_interval(secs => $6) as at),
   passed as (
     select window_ends from login_limits
     where window_ends > $5 and (key = $2 and failures >= $8
       or key = $3 and failures >= $9 and not exists (select from login_limits where key = $4 and window_ends > $5))
     limit 1
   ), pair as (
     insert into login_limits as l (key, failures, window_ends)
     select $1::bytea, 1, at from ends where $1::bytea is not null and not exists (select from passed)
     ${COUNT} $7 returning key
   ), account as (
     insert into login_limits as l (key, failures, window_ends)
     select $3::bytea, 1, at from ends where not exists (select from passed)
       and ($1::bytea is null or exists (select from pair))
       and not exists (select from login_limits where key = $4 and window_ends > $5)
     ${COUNT} $9 returning key
   )
   select case
     when exists (select from passed) then (select window_ends from passed)
     when $1::bytea is not null and not exists (select from pair)
       then coalesce((select window_ends from login_limits where key = $1), (select at from ends))
     when not exists (select from account) and not exists (select from login_limits where key = $4 and window_ends > $5)
       then coalesce((select window_ends from login_limits where key = $3), (select at from ends))
   end as refused_until`,
);

const countFailure = statement<[key: Buffer, now: Date, windowSeconds: number], never>(
  'count_login_failure',
  `insert into login_limits as l (key, failures, window_ends)
   values ($1, 1, $2::timestamptz + make_interval(secs => $3))
   on conflict (key) do update set
     failures = case when l.window_ends <= $2 then 1 else l.failures + 1 end,
     window_ends = case when l.window_ends <= $2 then excluded.window_ends else l.window_ends end`,
);

/*
 * One key a statement: counting locks the pair before the account, and another order could deadlock. A row with count 0 is
 * deleted, so that successful attempts leave none. A familiar source was not counted for the account.
 */
const giveBack = statement<[key: Buffer, familiar: Buffer | null, now: Date], never>(
  'give_back_login_attempt',
  `with locked as (
     select key, failures from login_limits where key = $1
       and not exists (select from login_limits where key = $2 and window_ends > $3)
     for update
   ), gone as (
     delete from login_limits l using locked where l.key = locked.key and locked.failures <= 1
   )
   update login_limits l set failures = l.failures - 1 from locked where l.key = locked.key and locked.failures > 1`,
);

const rememberPair = statement<[key: Buffer, until: Date, pair: Buffer], never>(
  'remember_login_pair',
  `with forgiven as (delete from login_limits where key = $3)
   insert into login_limits (key, failures, window_ends) values ($1, 0, $2)
   on conflict (key) do update set window_ends = excluded.window_ends`,
);

const sweep = statement<[now: Date], never>(
  'sweep_login_limits',
  `delete from login_limits where window_ends <= $1`,
);

/** The number of rows by the index alone, up to the bound. */
const tooMany = statement<[limit: number], { over: number }>(
  'count_login_limits',
  `select greatest(0, count(*) - $1::bigint)::int as over from (select from login_limits limit $1::bigint + 100000) as counted`,
);

const dropSoonest = statement<[count: number], never>(
  'drop_login_limits',
  `delete from login_limits where key = any(array(select key from login_limits order by window_ends limit $1))`,
);

const keyOf = (kind: string, ...parts: string[]): Buffer =>
  hash('sha256', [kind, ...parts].join('\n'), 'buffer');

export interface LoginAttempt {
  email: string;
  /** The source, an IPv6 address as its /64; empty when unknown. */
  source: string;
}

interface LoginLimits {
  pair: number;
  address: number;
  account: number;
  windowSeconds: number;
}

const FAMILIAR_SECONDS = 90 * 86_400;

function keys(attempt: LoginAttempt): { pair: Buffer; address: Buffer; account: Buffer; familiar: Buffer } {
  // Folds case as the index of users does, in ASCII only. Every spelling counts for one account.
  const email = composed(attempt.email).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return {
    pair: keyOf('pair', email, attempt.source),
    address: keyOf('address', attempt.source),
    account: keyOf('account', email),
    familiar: keyOf('familiar', email, attempt.source),
  };
}

/** Without a known address all clients would share one limit: only the account is counted. */
const isKnown = (attempt: LoginAttempt): boolean => attempt.source !== '';

/** Counts an attempt. Returns the seconds to wait when a limit is passed, else null. */
export async function countAttempt(
  on: Queryable,
  attempt: LoginAttempt,
  limits: LoginLimits,
  now: Date,
): Promise<number | null> {
  const key = keys(attempt);
  const known = isKnown(attempt);
  const [row] = await countAttempts.run(
    on,
    known ? key.pair : null,
    known ? key.address : null,
    key.account,
    known ? key.familiar : null,
    now,
    limits.windowSeconds,
    limits.pair,
    limits.address,
    limits.account,
  );
  const until = row?.refused_until ?? null;
  return until && Math.max(1, Math.ceil((until.getTime() - now.getTime()) / 1000));
}

/** The password was right: the attempt is given back, and the source is familiar from now on. */
export async function forgiveAttempt(on: Queryable, attempt: LoginAttempt, now: Date): Promise<void> {
  const { account, familiar, pair } = keys(attempt);
  if (!isKnown(attempt)) return void (await giveBack.run(on, account, null, now));
  await giveBack.run(on, account, familiar, now);
  await rememberPair.run(on, familiar, new Date(now.getTime() + FAMILIAR_SECONDS * 1000), pair);
}

/** The password was wrong, or the account does not exist. */
export async function countFailedAttempt(
  on: Queryable,
  attempt: LoginAttempt,
  limits: LoginLimits,
  now: Date,
): Promise<void> {
  if (isKnown(attempt)) await countFailure.run(on, keys(attempt).address, now, limits.windowSeconds);
}

/** An attempt whose password was not verified (overload) does not count. */
export async function uncountAttempt(on: Queryable, attempt: LoginAttempt, now: Date): Promise<void> {
  const { account, familiar, pair } = keys(attempt);
  await giveBack.run(on, account, isKnown(attempt) ? familiar : null, now);
  if (isKnown(attempt)) await giveBack.run(on, pair, null, now);
}

/** The most rows to keep: those whose window ends first go first. */
const MAX_ROWS = 1_000_000;
const DROP_AT_ONCE = 10_000;

/** Deletes expired windows, and the excess over the bound. */
export async function sweepLimits(on: Queryable, now: Date, maxRows: number = MAX_ROWS): Promise<void> {
  await sweep.run(on, now);
  let [{ over } = { over: 0 }] = await tooMany.run(on, maxRows);
  for (; over > 0; over -= DROP_AT_ONCE) await dropSoonest.run(on, Math.min(over, DROP_AT_ONCE));
}
