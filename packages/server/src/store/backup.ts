import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { z } from 'zod';
import type { Act } from './act.ts';
import type { Database } from './database.ts';
import { renameDurably, syncAll } from './durable-files.ts';
import { lockDirectory } from './embedded.ts';
import { beginEpoch, readEpoch } from './epoch.ts';
import { type ApiKeyRecord, appendKeyRevoked, pageOfKeys, revokeApiKey } from './issued-keys.ts';
import { migrate } from './migrate.ts';
import { closeToOthers } from './private-directory.ts';
import { statement } from './statement.ts';

/*
 * A backup is a data directory with a list of its files. The files may be copied while a server runs: PostgreSQL's recovery makes
 * one state of them, as after a crash. Every answered commit is in the files.
 */

/** The backup, or its target, is not usable. */
export class BackupError extends Error {
  override name = 'BackupError';
}

/** The backup has live API keys, and the caller has not said what becomes of them. */
export class KeysUndecided extends BackupError {
  override name = 'KeysUndecided';
  readonly keys: readonly ApiKeyRecord[];

  constructor(keys: readonly ApiKeyRecord[]) {
    super('the backup has live API keys. Say whether to keep or to revoke them.');
    this.keys = keys;
  }
}

const LIST = 'backup.json';
const KEY = 'curfew.key';
const CONTROL = join('global', 'pg_control');
const WAL = 'pg_wal';
/** Files that a start creates anew. */
const LEFT_OUT = new Set(['postmaster.pid', 'postmaster.opts', 'pg_stat_tmp', CONTROL, WAL]);
/** A checkpoint during the copy makes it useless; there is at most one a minute. */
const ATTEMPTS = 5;
const ALL_KEYS = 1_000_000;
const MB = 2 ** 20;
/** Bytes to leave free on the disk. */
const SPARE = 128 * MB;

const counts = z.strictObject({ users: z.int(), sessions: z.int(), events: z.int() });
const list = z.strictObject({
  format: z.literal(1),
  made_at: z.iso.datetime(),
  /** Whether the backup holds the key that encrypts the signing keys; if not, it is the one in `CURFEW_KEY`. */
  has_key: z.boolean(),
  counts,
  /** SHA-256 of each file, by its path. */
  files: z.record(z.string(), z.string()),
});

/** Opens the embedded database in a directory that no server uses. */
export type Open = (directory: string) => Promise<Database>;

/** The header of a backup's list. */
export type Backup = Omit<z.infer<typeof list>, 'files' | 'format'>;

/** A restored backup, and the API keys that were live in it. */
export type Restored = Backup & { keys: ApiKeyRecord[] };

const count = statement<[], z.infer<typeof counts>>(
  'count_of_backup',
  'select (select count(*) from users) as users, (select count(*) from user_sessions) as sessions, (select count(*) from events) as events',
);

/**
 * Copies the embedded database in `directory` to `target`, which must not exist. The copy holds everything that was answered
 * before the call.
 * @param withKey whether the directory's own key is in use
 * @param onFile called after each copied file; tests write to the database there
 * @throws BackupError
 */
export async function backUp(
  directory: string,
  target: string,
  withKey: boolean,
  open: Open,
  now: Date,
  onFile: (path: string) => void | Promise<void> = () => undefined,
): Promise<Backup> {
  if (!existsSync(join(directory, 'database')))
    throw new BackupError(`there is no database in ${directory}.`);
  if (existsSync(target)) throw new BackupError(`${target} exists already.`);
  mkdirSync(dirname(target), { recursive: true });
  refuseFullDisk(join(directory, 'database'), dirname(target));
  const unfinished = mkdtempSync(`${target}.unfinished-`);
  try {
    await copyConsistently(join(directory, 'database'), join(unfinished, 'database'), onFile);
    if (withKey && existsSync(join(directory, KEY)))
      copyFileSync(join(directory, KEY), join(unfinished, KEY));
    // Runs recovery and closes the copy cleanly, so that it needs none later.
    const counted = await opened(unfinished, open, async (database) => (await count.run(database))[0]);
    if (!counted) throw new BackupError('could not count what is in the copy.');
    for (const own of ['lock', 'lock.pid']) rmSync(join(unfinished, own), { force: true });
    const backup = {
      made_at: now.toISOString(),
      has_key: existsSync(join(unfinished, KEY)),
      counts: counted,
    };
    const files = Object.fromEntries(filesIn(unfinished).map((path) => [path, hash(join(unfinished, path))]));
    const text = `${JSON.stringify({ format: 1, ...backup, files }, null, 1)}\n`;
    writeFileSync(join(unfinished, LIST), text, { mode: 0o600 });
    await syncAll(unfinished);
    renameDurably(unfinished, target);
    return backup;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/**
 * Restores a backup into `directory`, which must hold no database, and begins a new epoch, so that nodes and verifiers of the
 * lost database begin anew. Sessions that were logged out since the backup are alive again. So are API keys that were revoked since,
 * and nobody can tell which: the caller decides about all live keys together.
 * @param apiKeys null: a backup with live keys is refused
 * @returns the backup, and its live keys, with their revocation
 * @throws BackupError when a file is missing or changed; whenever it throws, nothing is restored
 */
export async function restore(
  source: string,
  directory: string,
  open: Open,
  apiKeys: 'keep' | 'revoke' | null,
  act: Act,
): Promise<Restored> {
  const { files, format: _, ...backup } = readList(source);
  for (const [path, digest] of Object.entries(files))
    if (!existsSync(join(source, path)) || hash(join(source, path)) !== digest)
      throw new BackupError(`${join(source, path)} differs from the file that was backed up.`);
  closeToOthers(directory);
  // Locked to the end, so that nobody serves the copy before it has its epoch.
  const unlock = lockDirectory(directory);
  const key = join(directory, KEY);
  const unfinished = mkdtempSync(join(directory, 'restoring-'));
  try {
    if (existsSync(join(directory, 'database')))
      throw new BackupError(
        `${directory} already contains a database. Move it away first, or set CURFEW_DATA to another directory.`,
      );
    if (existsSync(key) && files[KEY] !== undefined && hash(key) !== files[KEY])
      throw new BackupError(`${key} differs from the key of the backup. Move it away first.`);
    refuseFullDisk(source, directory);
    for (const path of directoriesIn(join(source, 'database')))
      mkdirSync(join(unfinished, 'database', path), { recursive: true, mode: 0o700 });
    for (const path of Object.keys(files)) copyFileSync(join(source, path), join(unfinished, path));
    const keys = await opened(unfinished, open, async (database) => {
      await migrate(database);
      const decided = await decideKeys(database, apiKeys, act);
      const epoch = await readEpoch(database);
      await beginEpoch(database, epoch, epoch);
      return decided;
    });
    await syncAll(unfinished);
    if (files[KEY] !== undefined) renameDurably(join(unfinished, KEY), key);
    renameDurably(join(unfinished, 'database'), join(directory, 'database'));
    return { ...backup, keys };
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    unlock();
  }
}

async function decideKeys(
  database: Database,
  decision: 'keep' | 'revoke' | null,
  act: Act,
): Promise<ApiKeyRecord[]> {
  const live = await pageOfKeys(database, { before: null, dead: false }, ALL_KEYS, act.at);
  if (live.length === 0 || decision === 'keep') return live;
  if (decision === null) throw new KeysUndecided(live);
  return database.transaction(async (on) => {
    const revoked: ApiKeyRecord[] = [];
    for (const { id } of live) {
      const key = await revokeApiKey(on, id, act.at, act.actor);
      if (!key) continue;
      await appendKeyRevoked(on, key, act);
      revoked.push(key);
    }
    return revoked;
  });
}

/** @throws BackupError when the directory is a backup: served as it is, it would pass for the lost database */
export function refuseBackup(directory: string): void {
  if (existsSync(join(directory, LIST)))
    throw new BackupError(
      `${directory} is a backup. Set CURFEW_DATA to another directory, and run curfew restore ${directory}`,
    );
}

async function opened<T>(
  directory: string,
  open: Open,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await open(directory);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Stops before the disk is full, which would end a server on it. The server's own writes need room too. */
function refuseFullDisk(source: string, target: string): void {
  const needed = filesIn(source).reduce(
    (sum, path) => sum + (statSync(join(source, path), { throwIfNoEntry: false })?.size ?? 0),
    SPARE,
  );
  const { bavail, bsize } = statfsSync(target);
  if (bavail * bsize < needed)
    throw new BackupError(
      `not enough space in ${target}: ${Math.ceil(needed / MB)} MB are needed, ${Math.floor((bavail * bsize) / MB)} MB are free.`,
    );
}

function readList(source: string): z.infer<typeof list> {
  const file = join(source, LIST);
  if (!existsSync(file)) throw new BackupError(`${source} is not a backup: it has no ${LIST}.`);
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new BackupError(`${file} cannot be read.`);
  }
  const parsed = list.safeParse(read);
  if (!parsed.success)
    throw new BackupError(`${file} is not the list of a backup, or a newer version of Curfew wrote it.`);
  // The list may come from anywhere: nothing is written outside the directory.
  for (const path of Object.keys(parsed.data.files))
    if ((path !== KEY && !/^database(\/[\w.-]+)+$/.test(path)) || path.split('/').includes('..'))
      throw new BackupError(`${file} names a file that is not part of a database: ${path}.`);
  return parsed.data;
}

/*
 * In the order of a base backup: first the start of recovery, then the data in any state, then the WAL with all changes since.
 * Torn pages are whole in the WAL (`full_page_writes`). The control file shows whether a checkpoint moved the start meanwhile,
 * after which WAL may be missing; so does a server that starts.
 */
async function copyConsistently(
  from: string,
  to: string,
  onFile: (path: string) => void | Promise<void>,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    rmSync(to, { recursive: true, force: true });
    const control = readFileSync(join(from, CONTROL));
    mkdirSync(join(to, 'global'), { recursive: true, mode: 0o700 });
    writeFileSync(join(to, CONTROL), control, { mode: 0o600 });
    await copyTree(from, to, '', onFile);
    await copyTree(join(from, WAL), join(to, WAL), '', onFile);
    if (readFileSync(join(from, CONTROL)).equals(control)) return;
  }
  throw new BackupError('the database changed too much during the copy. Try again when there is less to do.');
}

async function copyTree(
  from: string,
  to: string,
  below: string,
  onFile: (path: string) => void | Promise<void>,
): Promise<void> {
  mkdirSync(join(to, below), { recursive: true, mode: 0o700 });
  for (const entry of readdirSync(join(from, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (LEFT_OUT.has(path)) continue;
    if (entry.isDirectory()) {
      await copyTree(from, to, path, onFile);
      continue;
    }
    try {
      copyFileSync(join(from, path), join(to, path));
    } catch (error) {
      // Dropped since the directory was read; the WAL says so too.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    await onFile(path);
  }
}

const filesIn = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();

const directoriesIn = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));

const hash = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
