import { hash } from 'node:crypto';
import { type Queryable, statement } from './statement.ts';

const count = `insert into login_limits as l (key, failures, window_ends)
   select k.key, 1, $2::timestamptz + make_interval(secs => $3) from unnest($1::bytea[]) as k (key) order by k.key
   on conflict (key) do update set
     failures = case when l.window_ends <= $2 then 1 else l.failures + 1 end,
     window_ends = case when l.window_ends <= $2 then excluded.window_ends else l.window_ends end
   returning key, failures, window_ends`;

/*
 * For an account, attempts are counted before the password is looked at and given back when it was right, so that a
 * hundred at once cannot all pass on the count of zero. For an address only failures count: behind one address there
 * may be a whole office, and what it has under way is bounded by the queue for hashing.
 */
const countAttempts = statement<
  [keys: Buffer[], now: Date, windowSeconds: number, address: Buffer],
  { key: Buffer; failures: number; window_ends: Date }
>(
  'count_login_attempts',
  `with counted as (${count})
   select key, failures, window_ends from counted
   union all select key, failures + 1, window_ends from login_limits where key = $4 and window_ends > $2`,
);

const countFailure = statement<[keys: Buffer[], now: Date, windowSeconds: number], never>(
  'count_login_failure',
  count,
);

const giveBack = statement<[keys: Buffer[]], never>(
  'give_back_login_attempts',
  `with locked as (select key from login_limits where key = any($1) order by key for update)
   update login_limits l set failures = greatest(0, l.failures - 1) from locked where l.key = locked.key`,
);

const knownPair = statement<[key: Buffer, now: Date], { known: boolean }>(
  'login_pair_is_known',
  `select exists (select 1 from login_limits where key = $1 and window_ends > $2) as known`,
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

const keyOf = (kind: string, ...parts: string[]): Buffer =>
  hash('sha256', [kind, ...parts].join('\n'), 'buffer');

export interface LoginAttempt {
  email: string;
  /** The source, an IPv6 address as its /64; empty when it is not known. */
  source: string;
}

export interface LoginLimits {
  pair: number;
  address: number;
  account: number;
  windowSeconds: number;
}

const FAMILIAR_SECONDS = 90 * 86_400;

function keys(attempt: LoginAttempt): { pair: Buffer; address: Buffer; account: Buffer; familiar: Buffer } {
  // As the index of users folds case: ASCII alone.
  const email = attempt.email.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return {
    pair: keyOf('pair', email, attempt.source),
    address: keyOf('address', attempt.source),
    account: keyOf('account', email),
    familiar: keyOf('familiar', email, attempt.source),
  };
}

/** Where no address is known (a host that passes none) everybody would share one: only the account is counted. */
function countedKeys(attempt: LoginAttempt): Buffer[] {
  const { pair, account } = keys(attempt);
  return attempt.source === '' ? [account] : [pair, account];
}

/**
 * Counts an attempt. Returns the seconds to wait when a limit is passed, or null. The limit of the account does not
 * hold up a source from which it has logged in before, so that strangers cannot keep the owner out.
 */
export async function countAttempt(
  on: Queryable,
  attempt: LoginAttempt,
  limits: LoginLimits,
  now: Date,
): Promise<number | null> {
  const key = keys(attempt);
  const counted = await countAttempts.run(on, countedKeys(attempt), now, limits.windowSeconds, key.address);
  const over = (which: Buffer, limit: number): Date | null => {
    const row = counted.find((one) => one.key.equals(which));
    return row && row.failures > limit ? row.window_ends : null;
  };
  let until = over(key.pair, limits.pair) ?? over(key.address, limits.address);
  if (!until) {
    const account = over(key.account, limits.account);
    if (account && !(await knownPair.run(on, key.familiar, now))[0]?.known) until = account;
  }
  return until ? Math.max(1, Math.ceil((until.getTime() - now.getTime()) / 1000)) : null;
}

/** The password was right: the attempt is given back, and the source is familiar from now on. */
export async function forgiveAttempt(on: Queryable, attempt: LoginAttempt, now: Date): Promise<void> {
  const key = keys(attempt);
  await giveBack.run(on, [key.account]);
  await rememberPair.run(on, key.familiar, new Date(now.getTime() + FAMILIAR_SECONDS * 1000), key.pair);
}

/** The password was wrong, or there is no such account. */
export async function countFailedAttempt(
  on: Queryable,
  attempt: LoginAttempt,
  limits: LoginLimits,
  now: Date,
): Promise<void> {
  if (attempt.source !== '') await countFailure.run(on, [keys(attempt).address], now, limits.windowSeconds);
}

/** An attempt that never came to look at the password (overload) does not count. */
export async function uncountAttempt(on: Queryable, attempt: LoginAttempt): Promise<void> {
  await giveBack.run(on, countedKeys(attempt));
}

/** Forgets windows that are over. */
export async function sweepLimits(on: Queryable, now: Date): Promise<void> {
  await sweep.run(on, now);
}
