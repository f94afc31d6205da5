import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from '@curfew/protocol/claims';
import { z } from 'zod';
import { isNoSecret, PASSWORD_MIN_LENGTH } from './domain/password.ts';
import type { Lifetimes } from './domain/session.ts';
import {
  databaseUrl,
  flag,
  host,
  httpAddress,
  list,
  oneOf,
  redisUrl,
  seconds,
  text,
  whole,
} from './system/setting-forms.ts';

/** An unsafe or unreadable setting: its sentence says what would be safe. The start stops on it. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly setting: string;
  constructor(setting: string, sentence: string) {
    super(`${setting}: ${sentence}`);
    this.setting = setting;
  }
}

const EXAMPLE_APPLICATIONS = '{"shop":{"idleSeconds":1800,"audience":"https://shop.example"}}';
const wholeNumber = (most: number) => {
  const error = `must be a whole number from 1 to ${most}`;
  return z.number(error).int(error).min(1, error).max(most, error).optional();
};
const line = (error: string) => z.string(error).min(1, error).max(2000, error).optional();

const applicationSchema = z.strictObject(
  {
    name: line('must be text').pipe(z.string().max(100, 'must have at most 100 characters').optional()),
    idleSeconds: wholeNumber(31_622_400),
    absoluteSeconds: wholeNumber(31_622_400),
    accessTokenSeconds: wholeNumber(86_400),
    opaqueAccessSeconds: wholeNumber(31_622_400),
    audience: line('must be text'),
    algorithm: z.enum(SIGNING_ALGORITHMS, `must be one of ${SIGNING_ALGORITHMS.join(', ')}`).optional(),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `has no member ${issue.keys.join(', ')}`
        : `must be an object, as in ${EXAMPLE_APPLICATIONS}`,
  },
);

const applicationsForm = z
  .string()
  .default('{}')
  .transform((given, context) => {
    try {
      return JSON.parse(given) as unknown;
    } catch {
      // What JSON.parse says repeats what it was given.
      context.addIssue(`must be JSON, as in ${EXAMPLE_APPLICATIONS}`);
      return z.NEVER;
    }
  })
  .pipe(
    z.record(z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/i), applicationSchema, {
      error: (issue) =>
        issue.code === 'invalid_key'
          ? 'the name of an application has at most 64 letters, digits, ., _ and -, and begins with a letter or a digit'
          : `must be a JSON object, as in ${EXAMPLE_APPLICATIONS}`,
    }),
  );

/**
 * Every setting: its form, its default and its reason. `docs/settings.md` is written from this table.
 */
export const SETTINGS = {
  HOST: {
    form: host.default('127.0.0.1'),
    about:
      'Address to listen on. Loopback unless set: a session authority does not open itself to a network unasked.',
  },
  PORT: {
    form: whole(0, 65_535).default(8000),
    about: 'Port to listen on; 0 takes a free one.',
  },
  CURFEW_MAX_HEADER_BYTES: {
    form: whole(8192, 1_048_576).default(65_536),
    about:
      'Largest header of a request, cookies included; a larger one is answered 431. For the server of `curfew serve`: a program with its own gives it the same (`maxHeaderSize`).',
  },
  DATABASE_URL: {
    form: databaseUrl.optional(),
    about:
      'PostgreSQL 15 to 18. Not set: an embedded database in CURFEW_DATA, for one process on one machine.',
  },
  CURFEW_DATABASE_DIRECT_URL: {
    form: databaseUrl.optional(),
    about:
      'An address of the same PostgreSQL that goes past a connection pooler. Nodes hear of each other’s logouts there (LISTEN), which no pooler passes on in transaction mode. Default: DATABASE_URL, unless CURFEW_STATEMENT_NAMES=0.',
  },
  CURFEW_DATABASE_SCHEMA: {
    form: z
      .string()
      .regex(/^[^"\0\\\s]{1,63}$/, 'must be the name of a schema, without quotes and spaces')
      .optional(),
    about:
      'Schema of the tables; it must exist. Default: the one of the role’s own name where there is one, else public. Whatever search_path the database or the role has set does not count.',
  },
  CURFEW_DATABASE_POOL: {
    form: whole(2, 200).default(10),
    about:
      'Connections of one process to PostgreSQL, beside one that listens. Some are kept: a fifth for logouts, a fifth for checks, one for the node’s own reads, one for all else, of fewer than four at least one for all but logins and the like. The rest serves everybody.',
  },
  CURFEW_STATEMENT_NAMES: {
    form: flag.default(true),
    about:
      'Prepared statements have names, and connections keep their settings. Set to 0 behind a connection pooler in transaction mode (PgBouncer): each statement then brings its settings along in a transaction of its own. Needs CURFEW_DATABASE_DIRECT_URL too.',
  },
  REDIS_URL: {
    form: redisUrl.optional(),
    about:
      'Redis or Valkey for the cached keys of contract 001. Only ever a copy: losing it cannot un-revoke anything.',
  },
  CURFEW_DATA: {
    form: text.default('./curfew-data'),
    about: 'Directory of the embedded database. One process at a time; a second one is refused.',
  },
  CURFEW_EMBEDDED_FSYNC: {
    form: flag.default(true),
    about:
      'Sync each commit of the embedded database to the disk before it is answered. Set to 0 for tests and trials only: a power cut can then undo a logout, or damage the database. Refused in production.',
  },
  CURFEW_DEMO_ACCOUNTS: {
    form: flag.optional(),
    about:
      'Create admin@example.com (administrator) and test@example.com, both with the password password123, in an empty database. On with the embedded database outside production, else off.',
  },
  CURFEW_KEY: {
    form: z
      .string()
      .min(32, 'must have at least 32 characters of randomness (openssl rand -base64 32)')
      .refine(
        (key) => !isNoSecret(key),
        'is no random text. Set it to the output of: openssl rand -base64 32',
      )
      .optional(),
    about:
      'Encrypts the signing keys in the database (AES-256-GCM). Required in production. The embedded database makes its own, in CURFEW_DATA/curfew.key.',
  },
  CURFEW_KEY_PREVIOUS: {
    form: z
      .string()
      .min(32, 'must be the other CURFEW_KEY of a change, the old one or the new one')
      .optional(),
    about:
      'While CURFEW_KEY is being changed: the other one of the two, old or new. It opens what was encrypted under it and verifies what was signed under it; nothing new is. See the guide to operation.',
  },
  CURFEW_ISSUER: {
    form: httpAddress.optional(),
    about:
      'The public address of this authority, the `iss` of its tokens and the origin it trusts. Default: http://localhost:PORT. Plain http for localhost, its subdomains and 127.0.0.1 alone. Required in production.',
  },
  CURFEW_AUDIENCE: {
    form: text.optional(),
    about:
      'The audience of Curfew itself, and the `aud` of access tokens unless an application has its own. Administration, a change of password and `/v1/session/confirm` take only credentials of this audience. Default: the issuer.',
  },
  CURFEW_SERVICE_KEYS: {
    form: list(
      (key) => key.length >= 32,
      'each key must have at least 32 characters: openssl rand -base64 32',
    ),
    about:
      'Secrets of back ends, comma-separated: they may open sessions for users who logged in elsewhere and call the administration.',
  },
  CURFEW_APPLICATIONS: {
    form: applicationsForm,
    about:
      'Applications (client_id) as JSON: {"shop":{"idleSeconds":1800,"absoluteSeconds":43200,"accessTokenSeconds":300,"opaqueAccessSeconds":3600,"audience":"https://shop.example","algorithm":"ES256"}}. "default", "envelope", "session-id", "token" and "cookie" exist already and can be changed here.',
  },
  CURFEW_IDLE_SECONDS: {
    form: seconds(7 * 86_400),
    about:
      'A session unused for this long is over. NIST SP 800-63B-4 sets no idle limit at AAL1; take 3600 or less at AAL2.',
  },
  CURFEW_ABSOLUTE_SECONDS: {
    form: seconds(30 * 86_400),
    about:
      'A session is over this long after its login, however much it is used. 30 days at AAL1, 86400 or less at AAL2.',
  },
  CURFEW_ACCESS_TOKEN_SECONDS: {
    form: seconds(300),
    about:
      'Life of an access JWT. Our own checks see a logout at once; this bounds a third party that checks with the public keys alone.',
  },
  CURFEW_OPAQUE_ACCESS_SECONDS: {
    form: seconds(3600),
    about: 'Life of an opaque access token (contract 003).',
  },
  CURFEW_REFRESH_GRACE_SECONDS: {
    form: whole(0, 60).default(10),
    about:
      'For this long a spent refresh token gives the same successor again (two tabs, a lost answer). Later use is replay and ends the session.',
  },
  CURFEW_LEASE_MS: {
    form: whole(200, 60_000).default(1000),
    about:
      'A node answers checks from memory only while its last complete read of the log is younger than this; the longest that a logout waits for a node that is cut off.',
  },
  CURFEW_KEY_ROTATION_DAYS: {
    form: whole(0, 3650).default(90),
    about: 'Signing keys rotate by themselves at this age; 0 leaves it to `curfew keys rotate`.',
  },
  CURFEW_KEY_PUBLISH_SECONDS: {
    form: whole(0, 86_400).default(600),
    about:
      'A new signing key is published this long before it signs; longer than a verifier caches the key set (300 s).',
  },
  CURFEW_COOKIE_NAME: {
    form: z
      .string()
      .regex(/^[a-z0-9_-]{1,40}$/i, 'must be 1 to 40 letters, digits, - and _')
      .default('curfew_session'),
    about: 'Name of the session cookie, without the __Host- prefix that it gets over HTTPS.',
  },
  CURFEW_COOKIE_DOMAIN: {
    form: z
      .string()
      .regex(/^[a-z0-9.-]+$/i, 'must be a domain: example.com')
      .optional(),
    about:
      'Share the cookie with the subdomains of this domain. The prefix is then __Secure-, because __Host- forbids a domain.',
  },
  CURFEW_COOKIE_ALSO_CLEAR: {
    form: list(
      (item) => /^[a-z0-9.-]*(\/[^\s;,\p{Cc}]*)?$/iu.test(item),
      'each item is a domain, a path, or both: example.com, /app, example.com/app',
    ),
    about:
      'More places to delete the cookie from, at login and at logout, left over from earlier setups: example.com/app, /old.',
  },
  CURFEW_CLEAR_SITE_DATA: {
    form: list(
      (item) => ['cache', 'cookies', 'storage'].includes(item),
      'each item is one of cache, cookies, storage',
    ),
    about: 'Send Clear-Site-Data at a cookie logout. Off: "cookies" reaches the whole registrable domain.',
  },
  CURFEW_PAGES: {
    form: flag.default(true),
    about:
      'Serve the pages: /login, /logout, /devices, /admin and what they load from /pages. 0 leaves those addresses free; the API is the same.',
  },
  CURFEW_TRUSTED_ORIGINS: {
    form: list(
      (item) => URL.canParse(item) && new URL(item).origin === item,
      'each item is an origin: https://app.example.com, no path',
    ),
    about: 'Origins beside the issuer from which a page may send requests with the cookie.',
  },
  CURFEW_TRUSTED_PROXIES: {
    form: list(isCidr, 'each item is an address or a network: 10.0.0.0/8, 127.0.0.1'),
    about:
      'Proxies whose X-Forwarded-For, or Forwarded (RFC 7239) where there is none, is believed. None unless set: anybody can send those headers.',
  },
  CURFEW_CACHE_KEYS: {
    form: list(
      (item) => item.includes('{user_id}'),
      'each item is the template of a key and contains {user_id}: user:{user_id}',
      'user:{user_id},user_profile:{user_id},user_workspace:{user_id}',
    ),
    about: 'Redis keys that a logout evicts (contract 001). A host application can add its own.',
  },
  CURFEW_CACHE_SECONDS: { form: seconds(300), about: 'Life of the cached keys of contract 001.' },
  CURFEW_HASH_CONCURRENCY: {
    form: whole(1, 64).optional(),
    about:
      'Password hashes at a time. Default: one less than the processors, at least 1: a flood of logins leaves room for logout.',
  },
  CURFEW_HASH_QUEUE: {
    form: whole(0, 10_000).default(64),
    about: 'Logins that may wait for a hash; one more is answered 503 with Retry-After.',
  },
  CURFEW_LOGIN_FAILURES_PAIR: {
    form: whole(1).default(10),
    about: 'Failed logins to one account from one address within the window, before a pause.',
  },
  CURFEW_LOGIN_FAILURES_ADDRESS: {
    form: whole(1).default(100),
    about: 'Failed logins from one address (IPv6: one /64) within the window, before a pause.',
  },
  CURFEW_LOGIN_FAILURES_ACCOUNT: {
    form: whole(1).default(200),
    about:
      'Failed logins to one account from all addresses within the window. Addresses from which the account logged in before are not held up by it.',
  },
  CURFEW_LOGIN_WINDOW_SECONDS: {
    form: seconds(900),
    about: 'The window of the three limits above, and so the longest pause. Nobody is locked out for longer.',
  },
  CURFEW_PASSWORD_MIN_LENGTH: {
    form: whole(8, 64).default(PASSWORD_MIN_LENGTH),
    about:
      'Shortest new password, in characters. Fewer than 12 are warned about at the start. NIST SP 800-63B-4: at least 8, and 15 where the password is the only factor. Passwords among the first that are tried are refused at any length.',
  },
  CURFEW_CONFIRM_AFTER_SECONDS: {
    form: whole(0, 31_622_400).default(0),
    about:
      'Whatever ends another session than the one that asks, and whatever an administrator changes, asks for the password again when it was given longer ago than this. The four contracts know no such answer and never ask. 0: never.',
  },
  CURFEW_NOTICES_PER_USER: {
    form: whole(1, 10_000).default(100),
    about: 'WebSockets for notices that one user may have open at one process; each open page has one.',
  },
  CURFEW_NOTICES_PER_NODE: {
    form: whole(0, 1_000_000).default(20_000),
    about: 'WebSockets for notices that one process holds; more are told to come back later.',
  },
  CURFEW_NOTICES_PER_SECOND: {
    form: whole(1, 100_000).default(1000),
    about:
      'New WebSockets for notices that one process takes in a second; more are answered 503 with Retry-After.',
  },
  CURFEW_PLACES: {
    form: text.optional(),
    about:
      'Path of a city database in MaxMind’s format (.mmdb) that you bring: lists of sessions then say near which city each address is. Read into memory at the start; looked up when shown, never stored, nobody else is asked. Not set: no places.',
  },
  CURFEW_RETENTION_DAYS: {
    form: whole(1, 36_500).default(90),
    about: 'Ended sessions are kept this long for the history, then purged.',
  },
  CURFEW_EVENTS_RETENTION_DAYS: {
    form: whole(1, 36_500).default(400),
    about:
      'Events of the log are kept this long, then purged in small slices. Not less than the longest life of a session. An event that a reader of the log has not dealt with stays. What was refused is kept as long.',
  },
  CURFEW_AUDIT_RETENTION_DAYS: {
    form: whole(1, 36_500).default(400),
    about: "The same for the rows of contract 004's table `logs`.",
  },
  LOG_LEVEL: {
    form: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent').default('info'),
    about: 'What the server writes to standard output, as JSON lines.',
  },
  NODE_ENV: {
    form: oneOf('production', 'development', 'test').optional(),
    about:
      '"production" refuses what is only safe for trial: demonstration accounts, CURFEW_EMBEDDED_FSYNC=0, a missing CURFEW_KEY or CURFEW_ISSUER. That of the process counts for `createAuthority({ settings })` too. Not set: development.',
  },
} as const satisfies Record<string, { form: z.ZodType; about: string }>;

/**
 * Settings of the commands alone: where to reach a server that runs elsewhere. The server takes no notice of them.
 * `docs/cli.md` is written from this table.
 */
export const COMMAND_SETTINGS = {
  CURFEW_URL: {
    form: httpAddress
      .refine(
        (value) => new URL(value).protocol === 'https:' || isLoopback(new URL(value).hostname),
        'plain http is for loopback only: the service key travels to it. Set an https:// address',
      )
      .optional(),
    about: 'The address of a running server that the command talks to, as --url. Needs CURFEW_SERVICE_KEY.',
  },
  CURFEW_SERVICE_KEY: {
    form: z.string().min(32, 'must be one of the CURFEW_SERVICE_KEYS of that server').optional(),
    about: 'One of the CURFEW_SERVICE_KEYS of that server. There is no option for it: arguments can be seen.',
  },
} as const satisfies Record<string, { form: z.ZodType; about: string }>;

export interface Application extends Lifetimes {
  clientId: string;
  name: string;
  audience: string;
  algorithm: SigningAlgorithm;
}

/** The settings, parsed and judged: read-only from here on. */
export interface Config {
  production: boolean;
  host: string;
  port: number;
  maxHeaderBytes: number;
  database:
    | {
        kind: 'postgres';
        url: string;
        directUrl: string | null;
        schema: string | null;
        pool: number;
        statementNames: boolean;
      }
    | { kind: 'embedded'; directory: string; fsync: boolean };
  redisUrl: string | null;
  demoAccounts: boolean;
  encryptionKey: string | null;
  /** The other of the two while it is being changed. */
  previousKey: string | null;
  issuer: string;
  serviceKeys: readonly string[];
  /** Curfew's own audience: what administers or changes a password needs a credential for it. */
  audience: string;
  applications: ReadonlyMap<string, Application>;
  graceSeconds: number;
  leaseMs: number;
  keys: { rotationDays: number; publishSeconds: number };
  cookie: {
    name: string;
    /** Names that an earlier setup may have used in the places of `alsoClear`. */
    earlierNames: readonly string[];
    secure: boolean;
    domain: string | null;
    alsoClear: readonly { domain: string | null; path: string }[];
    clearSiteData: readonly string[];
  };
  /** Whether the pages are served. */
  pages: boolean;
  trustedOrigins: ReadonlySet<string>;
  trustedProxies: readonly string[];
  cache: { keys: readonly string[]; seconds: number };
  hashing: { concurrency: number; queue: number };
  loginLimits: { pair: number; address: number; account: number; windowSeconds: number };
  passwordMinLength: number;
  /** 0: never asked. */
  confirmAfterSeconds: number;
  notices: { perUser: number; perNode: number; perSecond: number };
  /** The file of the place database; null: places are not shown. */
  places: string | null;
  retentionDays: number;
  eventsRetentionDays: number;
  auditRetentionDays: number;
  logLevel: string;
}

const BUILT_IN_APPLICATIONS = ['default', 'envelope', 'session-id', 'token', 'cookie'] as const;

export type Environment = Record<string, string | undefined>;

/**
 * Parses and judges the settings.
 * @throws ConfigError whose sentence says what would be safe
 */
export function readConfig(environment: Environment): Config {
  const { config, faults } = inspectSettings(environment);
  if (faults[0]) throw faults[0];
  return config;
}

/**
 * The same with every fault and not only the first, at most one for each setting. The configuration is what it would
 * be if the settings at fault were not set: good for looking further, not for running.
 */
export function inspectSettings(environment: Environment): { config: Config; faults: ConfigError[] } {
  const found: ConfigError[] = [];
  const report = (setting: string, sentence: string): void => {
    // What follows from a fault is none of its own: a key that is too short is not missing as well.
    if (!found.some((fault) => fault.setting === setting)) found.push(new ConfigError(setting, sentence));
  };
  const values = parseSettings(environment, report);
  judge(values, report);
  const known = applications(values, issuerOf(values), report);
  judgeRetention(values, known, report);
  return { config: configOf(values, known), faults: found };
}

const DAY_SECONDS = 86_400;

/** What ended a credential is kept for as long as somebody may show it. */
function judgeRetention(values: Values, known: Map<string, Application>, report: Report): void {
  const longest = Math.max(
    ...[...known.values()].map((one) => Math.max(one.absoluteSeconds, one.accessTokenSeconds)),
  );
  const days = Math.ceil(longest / DAY_SECONDS);
  for (const name of ['CURFEW_EVENTS_RETENTION_DAYS', 'CURFEW_AUDIT_RETENTION_DAYS'] as const)
    if (values[name] < days)
      report(
        name,
        `is ${values[name]}, and a session may live for ${days} days here (CURFEW_ABSOLUTE_SECONDS, CURFEW_APPLICATIONS). Set it to ${days} or more.`,
      );
}

type Report = (setting: string, sentence: string) => void;

const issuerOf = (values: Values): string =>
  (values.CURFEW_ISSUER ?? `http://localhost:${values.PORT}`).replace(/\/$/, '');

/** What cannot be said of one setting alone: the rules of production, and what goes together. */
function judge(values: Values, report: Report): void {
  const issuer = new URL(issuerOf(values));
  const overNetwork = issuer.protocol !== 'https:' && !isLoopback(issuer.hostname);
  if (isProduction(values)) {
    if (values.CURFEW_DEMO_ACCOUNTS)
      report('CURFEW_DEMO_ACCOUNTS', `is refused in production: ${EVERYBODY_KNOWS} ${FIRST_ADMINISTRATOR}`);
    if (values.DATABASE_URL === undefined && !values.CURFEW_EMBEDDED_FSYNC)
      report('CURFEW_EMBEDDED_FSYNC', `is refused in production: ${WITHOUT_FSYNC}. Leave it out.`);
    if (values.CURFEW_KEY === undefined)
      report('CURFEW_KEY', 'is required in production. Set it to the output of: openssl rand -base64 32');
    if (values.CURFEW_ISSUER === undefined)
      report('CURFEW_ISSUER', 'is required in production: the public https:// address of this authority.');
    if (overNetwork)
      report('CURFEW_ISSUER', 'must be https:// in production: cookies and tokens travel to it.');
  }
  if (values.CURFEW_KEY_PREVIOUS !== undefined && values.CURFEW_KEY === undefined)
    report('CURFEW_KEY_PREVIOUS', 'goes with CURFEW_KEY: set that one too.');
  if (demoAccountsOf(values) && !isLoopbackHost(values.HOST))
    report(
      'HOST',
      `can be reached from the network, and ${EVERYBODY_KNOWS} Set CURFEW_DEMO_ACCOUNTS=0, or HOST=127.0.0.1.`,
    );
  if (overNetwork) report('CURFEW_ISSUER', 'plain http is for loopback only: set an https:// address.');
}

/** Said wherever the embedded database runs so. */
export const WITHOUT_FSYNC =
  'without fsync a power cut can undo a logout that was answered, or damage the embedded database';
const EVERYBODY_KNOWS = 'the demonstration accounts have a password that everybody knows.';
const FIRST_ADMINISTRATOR =
  'Leave it out, and make the first administrator with: curfew user add you@example.com --role admin --generate';

/** The program that Curfew runs in may be in production without saying so again in Curfew's own settings. */
const isProduction = (values: Values): boolean =>
  values.NODE_ENV === 'production' || process.env['NODE_ENV'] === 'production';

const demoAccountsOf = (values: Values): boolean =>
  values.CURFEW_DEMO_ACCOUNTS ?? (values.DATABASE_URL === undefined && !isProduction(values));

function configOf(values: Values, applicationsByName: Map<string, Application>): Config {
  const production = isProduction(values);
  const issuer = issuerOf(values);
  const cookieDomain = values.CURFEW_COOKIE_DOMAIN ?? null;
  const secure = new URL(issuer).protocol === 'https:';
  return {
    production,
    host: values.HOST,
    port: values.PORT,
    maxHeaderBytes: values.CURFEW_MAX_HEADER_BYTES,
    database:
      values.DATABASE_URL === undefined
        ? { kind: 'embedded', directory: values.CURFEW_DATA, fsync: values.CURFEW_EMBEDDED_FSYNC }
        : {
            kind: 'postgres',
            url: values.DATABASE_URL,
            directUrl: values.CURFEW_DATABASE_DIRECT_URL ?? null,
            schema: values.CURFEW_DATABASE_SCHEMA ?? null,
            pool: values.CURFEW_DATABASE_POOL,
            statementNames: values.CURFEW_STATEMENT_NAMES,
          },
    redisUrl: values.REDIS_URL ?? null,
    demoAccounts: demoAccountsOf(values),
    encryptionKey: values.CURFEW_KEY ?? null,
    previousKey: values.CURFEW_KEY_PREVIOUS ?? null,
    issuer,
    serviceKeys: values.CURFEW_SERVICE_KEYS,
    audience: values.CURFEW_AUDIENCE ?? issuer,
    applications: applicationsByName,
    graceSeconds: values.CURFEW_REFRESH_GRACE_SECONDS,
    leaseMs: values.CURFEW_LEASE_MS,
    keys: {
      rotationDays: values.CURFEW_KEY_ROTATION_DAYS,
      publishSeconds: values.CURFEW_KEY_PUBLISH_SECONDS,
    },
    cookie: {
      name: (secure ? (cookieDomain ? '__Secure-' : '__Host-') : '') + values.CURFEW_COOKIE_NAME,
      earlierNames: [...(secure ? [`__Secure-${values.CURFEW_COOKIE_NAME}`] : []), values.CURFEW_COOKIE_NAME],
      secure,
      domain: cookieDomain,
      alsoClear: values.CURFEW_COOKIE_ALSO_CLEAR.map(place),
      clearSiteData: values.CURFEW_CLEAR_SITE_DATA,
    },
    pages: values.CURFEW_PAGES,
    trustedOrigins: new Set([...ownOrigins(issuer, values.PORT), ...values.CURFEW_TRUSTED_ORIGINS]),
    trustedProxies: values.CURFEW_TRUSTED_PROXIES,
    cache: { keys: values.CURFEW_CACHE_KEYS, seconds: values.CURFEW_CACHE_SECONDS },
    hashing: {
      concurrency: values.CURFEW_HASH_CONCURRENCY ?? Math.max(1, availableParallelism() - 1),
      queue: values.CURFEW_HASH_QUEUE,
    },
    loginLimits: {
      pair: values.CURFEW_LOGIN_FAILURES_PAIR,
      address: values.CURFEW_LOGIN_FAILURES_ADDRESS,
      account: values.CURFEW_LOGIN_FAILURES_ACCOUNT,
      windowSeconds: values.CURFEW_LOGIN_WINDOW_SECONDS,
    },
    passwordMinLength: values.CURFEW_PASSWORD_MIN_LENGTH,
    confirmAfterSeconds: values.CURFEW_CONFIRM_AFTER_SECONDS,
    notices: {
      perUser: values.CURFEW_NOTICES_PER_USER,
      perNode: values.CURFEW_NOTICES_PER_NODE,
      perSecond: values.CURFEW_NOTICES_PER_SECOND,
    },
    places: values.CURFEW_PLACES ?? null,
    retentionDays: values.CURFEW_RETENTION_DAYS,
    eventsRetentionDays: values.CURFEW_EVENTS_RETENTION_DAYS,
    auditRetentionDays: values.CURFEW_AUDIT_RETENTION_DAYS,
    logLevel: values.LOG_LEVEL,
  };
}

type Values = { [Name in keyof typeof SETTINGS]: z.output<(typeof SETTINGS)[Name]['form']> };

/** Settings of earlier versions, and what to do about each. */
export const GONE: Record<string, string> = {
  CURFEW_ALLOW_EMBEDDED:
    'is gone: the embedded database now syncs each commit to the disk, and may be used in production. Leave it out.',
};

function parseSettings(environment: Environment, report: Report): Values {
  const values: Record<string, unknown> = {};
  for (const [name, { form }] of Object.entries(SETTINGS)) {
    const given = name === 'NODE_ENV' ? (environment[name] ?? process.env[name]) : environment[name];
    const parsed = parseSetting(form, given);
    if (parsed.ok) values[name] = parsed.value;
    else {
      report(name, parsed.sentence);
      values[name] = form.parse(undefined);
    }
  }
  for (const name of Object.keys(environment))
    if (name.startsWith('CURFEW_') && !(name in SETTINGS) && !(name in COMMAND_SETTINGS)) {
      if (!(name in GONE)) report(name, 'there is no such setting; docs/settings.md lists them all.');
      else if (environment[name] !== '') report(name, GONE[name] as string);
    }
  return values as Values;
}

function parseSetting(
  form: z.ZodType,
  text: string | undefined,
): { ok: true; value: unknown } | { ok: false; sentence: string } {
  // An empty variable is what a compose file passes for one that is not set.
  const parsed = form.safeParse(text === '' ? undefined : text);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0];
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  return { ok: false, sentence: `${where}${issue?.message ?? 'cannot be read'}.` };
}

/**
 * The settings of the commands alone.
 * @throws ConfigError
 */
export function readCommandSettings(environment: Environment): {
  url: string | null;
  serviceKey: string | null;
} {
  const read = (name: keyof typeof COMMAND_SETTINGS): string | null => {
    const parsed = parseSetting(COMMAND_SETTINGS[name].form, environment[name]);
    if (!parsed.ok) throw new ConfigError(name, parsed.sentence);
    return (parsed.value as string | undefined) ?? null;
  };
  return { url: read('CURFEW_URL'), serviceKey: read('CURFEW_SERVICE_KEY') };
}

function applications(values: Values, issuer: string, report: Report): Map<string, Application> {
  const given = values.CURFEW_APPLICATIONS;
  const result = new Map<string, Application>();
  for (const clientId of new Set([...BUILT_IN_APPLICATIONS, ...Object.keys(given)])) {
    const own = given[clientId] ?? {};
    const application: Application = {
      clientId,
      name: own.name ?? clientId,
      idleSeconds: own.idleSeconds ?? values.CURFEW_IDLE_SECONDS,
      absoluteSeconds: own.absoluteSeconds ?? values.CURFEW_ABSOLUTE_SECONDS,
      accessTokenSeconds: own.accessTokenSeconds ?? values.CURFEW_ACCESS_TOKEN_SECONDS,
      opaqueAccessSeconds: own.opaqueAccessSeconds ?? values.CURFEW_OPAQUE_ACCESS_SECONDS,
      audience: own.audience ?? values.CURFEW_AUDIENCE ?? issuer,
      algorithm: own.algorithm ?? 'EdDSA',
    };
    if (application.idleSeconds > application.absoluteSeconds)
      report(
        own.idleSeconds === undefined && own.absoluteSeconds === undefined
          ? 'CURFEW_IDLE_SECONDS'
          : 'CURFEW_APPLICATIONS',
        `the idle lifetime of "${clientId}" (${application.idleSeconds} s) is longer than its absolute one (${application.absoluteSeconds} s).`,
      );
    if (own.audience !== undefined && (BUILT_IN_APPLICATIONS as readonly string[]).includes(clientId))
      report(
        'CURFEW_APPLICATIONS',
        `"${clientId}" has no audience of its own: the pages and the four contracts are Curfew's own. Set CURFEW_AUDIENCE, or name another application.`,
      );
    result.set(clientId, application);
  }
  return result;
}

/** In development the same loopback server is known by two names. */
function ownOrigins(issuer: string, port: number): string[] {
  const { origin, hostname } = new URL(issuer);
  return isLoopback(hostname) && !hostname.endsWith('.localhost')
    ? [origin, `http://localhost:${port}`, `http://127.0.0.1:${port}`]
    : [origin];
}

function place(item: string): { domain: string | null; path: string } {
  const slash = item.indexOf('/');
  return slash < 0
    ? { domain: item, path: '/' }
    : { domain: slash === 0 ? null : item.slice(0, slash), path: item.slice(slash) };
}

/** Of an address to listen on, which IPv6 writes without brackets. */
export const isLoopbackHost = (name: string): boolean => isLoopback(name) || name === '::1';

/** `*.localhost` is loopback too (RFC 6761, 6.3). */
export function isLoopback(hostname: string): boolean {
  return /^(.+\.)?localhost$/.test(hostname) || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function isCidr(item: string): boolean {
  const [address = '', bits, ...rest] = item.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
