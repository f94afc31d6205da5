import { openDemoAccounts, sentenceOfOpen } from '../../actions/demo-accounts.ts';
import { differencesOf } from '../../actions/seed-clients.ts';
import type { Config } from '../../config.ts';
import { isLoopbackHost } from '../../system/setting-forms.ts';
import type { DurableReader } from '../../cluster/follow/log-reader.ts';
import { durableOf, READERS } from '../../cluster/follow/readers.ts';
import { readEmbeddedKey } from '../../keys/embedded-key.ts';
import { decryptKeyByAny, WrongKey } from '../../keys/encrypted-key.ts';
import type { Database } from '../../store/database.ts';
import { type KeyRow, readKeys } from '../../store/key-rows.ts';
import { missingMigrations } from '../../store/migrate.ts';
import { readClock } from '../../store/node-registry.ts';
import { MOST_COUNTED, readReadersBehind } from '../../store/backlog.ts';
import { readClients } from '../../store/client-rows.ts';
import { findSpelledApart } from '../../store/users.ts';
import { createPasswordHasher } from '../../system/password-hashing.ts';
import { counted } from '../terminal.ts';
import type { Findings } from './findings.ts';

/** A clock that is off by more makes sessions expire too early or too late. */
const CLOCK_WARNING_MS = 2000;
const CLOCK_PROBLEM_MS = 60_000;

/** Examines schema, keys and clock, on either database. Changes nothing. */
export async function checkDatabase(config: Config, database: Database, findings: Findings): Promise<void> {
  let missing: string[] | undefined;
  await findings.look('schema', async () => {
    missing = await missingMigrations(database);
    if (missing.length === 0) findings.ok('schema', 'up to date.');
    else
      findings.warning(
        'schema',
        `${counted(missing.length, 'migration')} to apply: ${missing.join(', ')}. The server applies them when it starts. To apply them now: curfew migrate.`,
      );
  });
  // Without the schema there is nothing more to examine, and a newer one may differ.
  if (missing?.length !== 0) return;
  await findings.look('signing keys', () => checkKeys(config, database, findings));
  await findings.look('addresses', () => checkAddresses(database, findings));
  await findings.look('CURFEW_CLIENTS', () => checkClients(config, database, findings));
  await findings.look('readers of the log', () =>
    checkReaders(config, database, durableOf(READERS), findings),
  );
  await findings.look('clock', () => checkClock(database, findings));
  await findings.look('CURFEW_DEMO_ACCOUNTS', () => checkDemoAccounts(config, database, findings));
}

/** Where they are not wanted, the server does not start while they can log in. */
async function checkDemoAccounts(config: Config, database: Database, findings: Findings): Promise<void> {
  if (!config.production && isLoopbackHost(config.host)) return;
  const open = await openDemoAccounts(database, createPasswordHasher(config.hashing));
  if (open.length > 0) findings.problem('CURFEW_DEMO_ACCOUNTS', sentenceOfOpen(open));
}

/** Where the setting and the database say different things of a client, the database decides. */
async function checkClients({ givenClients }: Config, database: Database, findings: Findings): Promise<void> {
  const given = Object.keys(givenClients);
  if (given.length === 0) return;
  const { clients, deleted } = await readClients(database);
  const differing = [...differencesOf(givenClients, clients)].map(
    ([clientId, terms]) => `${clientId} (${terms.join(', ')})`,
  );
  if (differing.length > 0)
    findings.warning(
      'CURFEW_CLIENTS',
      `differs from the database, which decides: ${differing.join(', ')}. Change the applications with curfew clients update, or remove them from the setting.`,
    );
  const gone = given.filter((clientId) => deleted.has(clientId));
  if (gone.length > 0)
    findings.warning(
      'CURFEW_CLIENTS',
      `names deleted applications, which are not created again: ${gone.join(', ')}. Remove them from the setting.`,
    );
  const there = new Set([...deleted, ...clients.map(({ clientId }) => clientId)]);
  const missing = given.filter((clientId) => !there.has(clientId));
  if (missing.length > 0)
    findings.ok('CURFEW_CLIENTS', `the server creates ${missing.join(', ')} when it starts.`);
  else if (differing.length + gone.length === 0) findings.ok('CURFEW_CLIENTS', 'agrees with the database.');
}

async function checkKeys(config: Config, database: Database, findings: Findings): Promise<void> {
  const keys = await readKeys(database);
  if (keys.length === 0) {
    findings.ok('signing keys', 'none yet. The server creates them when it starts.');
    return;
  }
  const secret = config.encryptionKey ?? readEmbeddedKey(config);
  const sealed = keys.filter((key) => key.sealed);
  if (sealed.length > 0 && secret === null) {
    findings.problem(
      'CURFEW_KEY',
      'is not set, but the signing keys in the database are encrypted. Set it to the key that encrypted them.',
    );
    return;
  }
  const opens = (key: KeyRow, secrets: readonly (string | null)[]): boolean => {
    try {
      decryptKeyByAny(
        key.private_key,
        secrets.filter((one) => one !== null),
        key.kid,
      );
      return true;
    } catch (error) {
      if (!(error instanceof WrongKey)) throw error;
      return false;
    }
  };
  if (!sealed.every((key) => opens(key, [secret, config.previousKey]))) {
    findings.problem(
      'CURFEW_KEY',
      'does not decrypt the signing keys in the database: another key encrypted them.',
    );
    return;
  }
  const byOther = sealed.filter((key) => !opens(key, [secret])).length;
  if (byOther > 0) {
    findings.warning(
      'CURFEW_KEY_PREVIOUS',
      `still decrypts ${counted(byOther, 'key')} that CURFEW_KEY does not. Replace them before you remove the setting: curfew keys rotate.`,
    );
    return;
  }
  const clear = keys.length - sealed.length;
  if (clear > 0 && secret !== null)
    findings.warning(
      'signing keys',
      `${clear} of ${keys.length} were created before CURFEW_KEY was set and are not encrypted. Replace them: curfew keys rotate.`,
    );
  else
    findings.ok(
      'signing keys',
      sealed.length > 0
        ? `CURFEW_KEY decrypts ${counted(sealed.length, 'key')}.`
        : `${counted(clear, 'key')}, not encrypted.`,
    );
}

/** A reader that has just got new events is no concern yet. */
const BEHIND_MS = 30_000;

/** How far the readers of the log are behind: a server processes events within moments. */
export async function checkReaders(
  config: Config,
  database: Database,
  readers: readonly DurableReader[],
  findings: Findings,
): Promise<void> {
  const nowMs = (await readClock(database)).getTime();
  const late = (await readReadersBehind(database, readers)).filter(
    ({ oldest }) => oldest !== null && nowMs - oldest.getTime() > BEHIND_MS,
  );
  for (const { name, behind, oldest } of late) {
    const { does, needs } = readers.find((reader) => reader.name === name) ?? {};
    const advice =
      !needs || needs.isSet(config)
        ? 'A running server processes them, or its log says what fails.'
        : `No server processes them, because ${needs.setting} is not set, and the log keeps these events. Set ${needs.setting} again, or remove the reader: DELETE FROM readers WHERE name = '${name}'.`;
    findings.warning(
      'readers of the log',
      `${name} (${does}) has ${counted(behind, 'event')}${behind === MOST_COUNTED ? ' or more' : ''} to process, the oldest of ${oldest?.toISOString()}. ${advice}`,
    );
  }
  if (late.length === 0)
    findings.ok('readers of the log', `${readers.map(({ name }) => name).join(', ')}: no reader is behind.`);
}

/** Accounts from before addresses had one canonical spelling. */
async function checkAddresses(database: Database, findings: Findings): Promise<void> {
  const apart = await findSpelledApart(database);
  if (apart.length === 0) findings.ok('addresses', 'each address has one spelling.');
  else
    findings.warning(
      'addresses',
      `${counted(apart.length, 'user')} (${apart.slice(0, 10).join(', ')}${apart.length > 10 ? ', …' : ''}) have the address of another user, with decomposed characters. Each user logs in with the exact spelling. Give one of the two users another address.`,
    );
}

async function checkClock(database: Database, findings: Findings): Promise<void> {
  const askedMs = Date.now();
  const { rows } = await database.query({
    text: 'select clock_timestamp() as now, (select at from events order by position desc limit 1) as newest',
    values: [],
  });
  const [row] = rows as { now: Date; newest: Date | null }[];
  if (!row) return;
  // The database read its clock between the question and the answer.
  const offMs = row.now.getTime() - (askedMs + Date.now()) / 2;
  const verdict = judgeClock(offMs, row.newest === null ? null : Date.now() - row.newest.getTime());
  findings[verdict.state]('clock', verdict.sentence);
}

/**
 * @param offMs how far the database's clock is ahead of this machine's
 * @param sinceNewestMs the age of the newest event of the log, by this machine's clock
 */
export function judgeClock(
  offMs: number,
  sinceNewestMs: number | null,
): { state: 'ok' | 'warning' | 'problem'; sentence: string } {
  const off = Math.abs(offMs);
  const says = `this machine's clock is ${Math.round(off / 100) / 10} s ${offMs > 0 ? 'behind' : 'ahead of'} the database's`;
  const advice = 'Synchronize both with NTP: sessions expire by the clock of the database.';
  if (off > CLOCK_PROBLEM_MS) return { state: 'problem', sentence: `${says}. ${advice}` };
  if (sinceNewestMs !== null && sinceNewestMs < -CLOCK_PROBLEM_MS)
    return {
      state: 'problem',
      sentence: `the newest entry of the log lies ${Math.round(-sinceNewestMs / 1000)} s in the future: a clock was set back. ${advice}`,
    };
  if (off > CLOCK_WARNING_MS) return { state: 'warning', sentence: `${says}. ${advice}` };
  return { state: 'ok', sentence: `agrees with the database's to ${Math.max(1, Math.round(off))} ms.` };
}
