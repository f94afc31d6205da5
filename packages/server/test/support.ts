/** The common part of the server's tests: an authority on either database, and short ways to call it. */
import pino, { type Logger } from 'pino';
import { type Authority, createAuthority } from '../src/authority.ts';
import type { Environment } from '../src/config.ts';
import { createAuthenticator } from '../src/keys/authenticator.ts';
import type { Database } from '../src/store/database.ts';
import { migrate } from '../src/store/migrate.ts';
import { openPostgres } from '../src/store/postgres.ts';
import { createLog } from '../src/system/log.ts';
import { createPasswordHasher, type PasswordHasher } from '../src/system/password-hashing.ts';
import type { System } from '../src/system/system.ts';
import { freshDatabase, hasPostgres } from './services/fresh-database.ts';
import { freshData } from './services/embedded-data.ts';
import { openQuickly } from './services/open-embedded.ts';

/** A log without output. */
export const silent: Logger = pino({ level: 'silent' });

/** The server's own log, with its redaction, that keeps its lines. */
export function recordingLog(): { log: Logger; lines: string[]; text: () => string } {
  const lines: string[] = [];
  const log = createLog('trace', { write: (line: string) => void lines.push(line) });
  return { log, lines, text: () => lines.join('') };
}

/** For nodes that a test puts together itself. */
export const testAuthenticator = createAuthenticator(['s'.repeat(32)], 'tests', 'curfew messages of nodes');

/** The template of the test databases: migrated and empty. */
export const migrated = {
  name: 'migrated',
  async prepare(url: string): Promise<void> {
    const database = openPostgres({ url, pool: 2, statementNames: true, log: silent });
    try {
      await migrate(database);
    } finally {
      await database.close();
    }
  },
};

export type Backend = 'embedded' | 'postgres';

/** The databases of this run, for `describe.each`: the embedded one always, PostgreSQL where there is one. */
export function backends(): Backend[] {
  return hasPostgres() ? ['embedded', 'postgres'] : ['embedded'];
}

/**
 * A separate store, migrated and empty.
 * @param url of a separate PostgreSQL, migrated
 */
export async function openStore(backend: Backend, url?: string): Promise<Database> {
  if (backend === 'embedded') return openQuickly(freshData('store'));
  return openPostgres({
    url: url ?? (await freshDatabase(migrated)),
    pool: 4,
    statementNames: true,
    log: silent,
  });
}

/**
 * The database of tests of routes, which are no tests of the store: PostgreSQL where there is one, because the embedded database
 * takes four times as long. http/smoke.test.ts walks every route on both; `TEST_ROUTES_ON=embedded` runs all of them there.
 */
export function routeBackend(): Backend {
  return hasPostgres() && process.env['TEST_ROUTES_ON'] !== 'embedded' ? 'postgres' : 'embedded';
}

export const SERVICE_KEY = 'svc_of_the_tests_0123456789abcdefghijklmnop';
/** Of the two demonstration accounts. */
export const PASSWORD = 'password123';
/** Of users that a test makes. */
export const NEW_PASSWORD = 'a password of these tests';
export const passwordOf = (email: string): string =>
  /^(admin|test)@example\.com$/i.test(email) ? PASSWORD : NEW_PASSWORD;
export const ISSUER = 'http://localhost:8000';

/** For tests that are not about passwords. http/hashing.test.ts tests the strength. */
export const cheap: PasswordHasher = {
  hash: async (password) => `cheap ${password}`,
  verify: async (hash, password) => hash === `cheap ${password}`,
  load: () => ({ running: 0, waiting: 0 }),
};

/** As a server has it. */
export const strong: PasswordHasher = createPasswordHasher({ concurrency: 2, queue: 100 });

export interface TestAuthority {
  authority: Authority;
  /** Where its data is: pass to another authority to share (PostgreSQL) or reopen (embedded). */
  settings: Environment;
  call: Caller;
  close: () => Promise<void>;
}

export interface CallOptions {
  body?: unknown;
  /** A text after `Bearer `. */
  bearer?: string;
  /** The cookie's value; with `csrf` also the header that changes need, from the issuer's origin. */
  cookie?: string;
  csrf?: string;
  headers?: Record<string, string>;
  address?: string;
}

export interface Answer<T = Record<string, unknown>> {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; undefined when it is not JSON. */
  json: T;
}

/** JSON that a test reads by the names that it expects. */
// oxlint-disable-next-line typescript/no-explicit-any -- bodies and outputs have many shapes
export type AnyJson = any;

export type Caller = <T = AnyJson>(method: string, path: string, options?: CallOptions) => Promise<Answer<T>>;

/** Opens an authority with the two demonstration accounts (admin is user 1, test is user 2). Its passwords are {@link cheap}. */
export async function openAuthority(
  backend: Backend,
  settings: Environment = {},
  more: { log?: Logger; system?: Partial<System> } = {},
): Promise<TestAuthority> {
  const place =
    backend === 'embedded'
      ? { CURFEW_DATA: freshData('authority') }
      : { DATABASE_URL: await freshDatabase(migrated) };
  return reopenAuthority({ ...place, ...settings }, more);
}

/** Opens an authority on the data of the settings. */
export async function reopenAuthority(
  settings: Environment,
  more: { log?: Logger; system?: Partial<System> } = {},
): Promise<TestAuthority> {
  const all = {
    CURFEW_SERVICE_KEYS: SERVICE_KEY,
    CURFEW_DEMO_ACCOUNTS: '1',
    CURFEW_EMBEDDED_FSYNC: '0',
    ...settings,
  };
  const authority = await createAuthority({
    settings: all,
    log: more.log ?? silent,
    system: { passwords: cheap, ...more.system },
  });
  return { authority, settings: all, call: callerOf(authority.fetch), close: authority.close };
}

/** Calls a fetch handler, in process or over the wire. */
export function callerOf(
  fetch: (request: Request, connection: { address: string }) => Response | Promise<Response>,
  base: string = ISSUER,
): Caller {
  return async (method, path, options = {}) => {
    const headers = new Headers(options.headers);
    if (options.body !== undefined && !headers.has('content-type'))
      headers.set('content-type', 'application/json');
    if (options.bearer !== undefined) headers.set('authorization', `Bearer ${options.bearer}`);
    if (options.cookie !== undefined) headers.set('cookie', `curfew_session=${options.cookie}`);
    if (options.csrf !== undefined) {
      headers.set('x-csrf-token', options.csrf);
      headers.set('origin', ISSUER);
    }
    const body =
      options.body === undefined
        ? null
        : typeof options.body === 'string'
          ? options.body
          : JSON.stringify(options.body);
    const request = new Request(new URL(path, base), { method, headers, body });
    const response = await fetch(request, { address: options.address ?? '192.0.2.1' });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  };
}

function parse(text: string): AnyJson {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The session cookie's value that an answer sets. */
export function cookieOf(answer: Answer): string {
  const set = answer.headers.getSetCookie().find((line) => line.startsWith('curfew_session='));
  const value = /^curfew_session=([^;]*)/.exec(set ?? '')?.[1];
  if (value === undefined)
    throw new Error(`the answer sets no session cookie: ${answer.status} ${answer.text}`);
  return value;
}
