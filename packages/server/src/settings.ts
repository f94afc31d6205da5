import { z } from 'zod';
import { isNoSecret, PASSWORD_MIN_LENGTH } from './domain/password.ts';
import { clientsForm } from './system/clients-form.ts';
import {
  databaseUrl,
  flag,
  host,
  httpAddress,
  isCidr,
  list,
  oneOf,
  redisUrl,
  seconds,
  text,
  integer,
} from './system/setting-forms.ts';

/* Every setting: its form, its default and its reason. `docs/settings.md` is written from these tables. */

export interface Setting {
  form: z.ZodType;
  about: string;
  /** Its old name, which is still understood. */
  was?: string;
  /** Its place in the configuration. Without one, `config.ts` derives a value from it. */
  as?: string;
}

const PROCESS = {
  HOST: {
    as: 'host',
    form: host.default('127.0.0.1'),
    about:
      'Address to listen on. Loopback unless set: a session authority does not open itself to a network unasked.',
  },
  PORT: {
    as: 'port',
    form: integer(0, 65_535).default(8000),
    about: 'Port to listen on; 0 takes a free one.',
  },
  CURFEW_MAX_HEADER_BYTES: {
    as: 'maxHeaderBytes',
    form: integer(8192, 1_048_576).default(65_536),
    about:
      'Largest header of a request, cookies included; a larger one is answered 431. For the server of `curfew serve`: a program with its own gives it the same (`maxHeaderSize`).',
  },
  LOG_LEVEL: {
    as: 'logLevel',
    form: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent').default('info'),
    about: 'What the server writes to standard output, as JSON lines.',
  },
  NODE_ENV: {
    form: oneOf('production', 'development', 'test').optional(),
    about:
      '"production" refuses what is only safe for trial: demonstration accounts, CURFEW_EMBEDDED_FSYNC=0, a missing CURFEW_KEY or CURFEW_ISSUER. That of the process counts for `createAuthority({ settings })` too. Not set: development.',
  },
} as const satisfies Record<string, Setting>;

const PAGES = {
  CURFEW_PAGES: {
    as: 'pages',
    form: flag.default(true),
    about:
      'Serve the pages: /login, /logout, /devices, /admin and what they load from /pages. 0 leaves those addresses free; the API is the same.',
  },
} as const satisfies Record<string, Setting>;

const DATA = {
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
    form: integer(2, 200).default(10),
    about:
      'Connections of one process to PostgreSQL, beside one that listens. Some are kept: a fifth for logouts, a fifth for checks, one for the node’s own reads, one for all else, of fewer than four at least one for all but logins and the like. The rest serves everybody.',
  },
  CURFEW_STATEMENT_NAMES: {
    form: flag.default(true),
    about:
      'Prepared statements have names, and connections keep their settings. Set to 0 behind a connection pooler in transaction mode (PgBouncer): each statement then brings its settings along in a transaction of its own. Needs CURFEW_DATABASE_DIRECT_URL too.',
  },
  REDIS_URL: {
    as: 'redisUrl',
    form: redisUrl.optional(),
    about:
      'Redis or Valkey: the doorbell between nodes, and the cached keys of contract 001. It is only a copy: its loss cannot revive a session.',
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
  CURFEW_CACHE_KEYS: {
    as: 'cache.keys',
    form: list(
      (item) => item.includes('{user_id}'),
      'each item is the template of a key and contains {user_id}: user:{user_id}',
      'user:{user_id},user_profile:{user_id},user_workspace:{user_id}',
    ),
    about: 'Redis keys that a logout evicts (contract 001). A host application can add its own.',
  },
  CURFEW_CACHE_SECONDS: {
    as: 'cache.seconds',
    form: seconds(300),
    about: 'Life of the cached keys of contract 001.',
  },
  CURFEW_PLACES: {
    as: 'places',
    form: text.optional(),
    about:
      'Path of a city database in MaxMind’s format (.mmdb) that you bring: lists of sessions then say near which city each address is. Read into memory at the start; looked up when shown, never stored, nobody else is asked. Not set: no places.',
  },
  CURFEW_RETENTION_DAYS: {
    as: 'retentionDays',
    form: integer(1, 36_500).default(90),
    about: 'Ended sessions are kept this long for the history, then purged.',
  },
  CURFEW_EVENTS_RETENTION_DAYS: {
    as: 'eventsRetentionDays',
    form: integer(1, 36_500).default(400),
    about:
      'Events of the log are kept this long, then purged in small slices. Not less than the longest life of a session. An event that a reader of the log has not dealt with stays. What was refused is kept as long.',
  },
  CURFEW_AUDIT_RETENTION_DAYS: {
    as: 'auditRetentionDays',
    form: integer(1, 36_500).default(400),
    about: "The same for the rows of contract 004's table `logs`.",
  },
} as const satisfies Record<string, Setting>;

const IDENTITY = {
  CURFEW_KEY: {
    as: 'encryptionKey',
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
    as: 'serviceKeys',
    form: list(
      (key) => key.length >= 32,
      'each key must have at least 32 characters: openssl rand -base64 32',
    ),
    about:
      'Secrets of back ends, comma-separated: they may open sessions for users who logged in elsewhere and call the administration.',
  },
  CURFEW_CLIENTS: {
    was: 'CURFEW_APPLICATIONS',
    form: clientsForm,
    about:
      'Applications (client_id) as JSON: {"shop":{"idleSeconds":1800,"absoluteSeconds":43200,"accessTokenSeconds":300,"opaqueAccessSeconds":3600,"audience":"https://shop.example","algorithm":"ES256"}}. "default", "envelope", "session-id", "token" and "cookie" exist already and can be changed here.',
  },
  CURFEW_TRUSTED_ORIGINS: {
    form: list(
      (item) => URL.canParse(item) && new URL(item).origin === item,
      'each item is an origin: https://app.example.com, no path',
    ),
    about: 'Origins beside the issuer from which a page may send requests with the cookie.',
  },
  CURFEW_TRUSTED_PROXIES: {
    as: 'trustedProxies',
    form: list(isCidr, 'each item is an address or a network: 10.0.0.0/8, 127.0.0.1'),
    about:
      'Proxies whose X-Forwarded-For, or Forwarded (RFC 7239) where there is none, is believed. None unless set: anybody can send those headers.',
  },
} as const satisfies Record<string, Setting>;

const LIFETIMES = {
  CURFEW_KEY_PREVIOUS: {
    as: 'previousKey',
    form: z
      .string()
      .min(32, 'must be the other CURFEW_KEY of a change, the old one or the new one')
      .optional(),
    about:
      'While CURFEW_KEY is being changed: the other one of the two, old or new. It opens what was encrypted under it and verifies what was signed under it; nothing new is. See the guide to operation.',
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
    as: 'graceSeconds',
    form: integer(0, 60).default(10),
    about:
      'For this long a spent refresh token gives the same successor again (two tabs, a lost answer). Later use is replay and ends the session.',
  },
  CURFEW_LEASE_MS: {
    as: 'leaseMs',
    form: integer(200, 60_000).default(1000),
    about:
      'A node answers checks from memory only while its last complete read of the log is younger than this; the longest that a logout waits for a node that is cut off.',
  },
  CURFEW_KEY_ROTATION_DAYS: {
    as: 'keys.rotationDays',
    form: integer(0, 3650).default(90),
    about: 'Signing keys rotate by themselves at this age; 0 leaves it to `curfew keys rotate`.',
  },
  CURFEW_KEY_PUBLISH_SECONDS: {
    as: 'keys.publishSeconds',
    form: integer(0, 86_400).default(600),
    about:
      'A new signing key is published this long before it signs; longer than a verifier caches the key set (300 s).',
  },
} as const satisfies Record<string, Setting>;

const COOKIE = {
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
} as const satisfies Record<string, Setting>;

const LOGINS = {
  CURFEW_HASH_CONCURRENCY: {
    form: integer(1, 64).optional(),
    about:
      'Password hashes at a time. Default: one less than the processors, at least 1: a flood of logins leaves room for logout.',
  },
  CURFEW_HASH_QUEUE: {
    form: integer(0, 10_000).default(64),
    about: 'Logins that may wait for a hash; one more is answered 503 with Retry-After.',
  },
  CURFEW_LOGIN_FAILURES_PAIR: {
    as: 'loginLimits.pair',
    form: integer(1).default(10),
    about: 'Failed logins to one account from one address within the window, before a pause.',
  },
  CURFEW_LOGIN_FAILURES_ADDRESS: {
    as: 'loginLimits.address',
    form: integer(1).default(100),
    about: 'Failed logins from one address (IPv6: one /64) within the window, before a pause.',
  },
  CURFEW_LOGIN_FAILURES_ACCOUNT: {
    as: 'loginLimits.account',
    form: integer(1).default(200),
    about:
      'Failed logins to one account from all addresses within the window. Addresses from which the account logged in before are not held up by it.',
  },
  CURFEW_LOGIN_WINDOW_SECONDS: {
    as: 'loginLimits.windowSeconds',
    form: seconds(900),
    about: 'The window of the three limits above, and so the longest pause. Nobody is locked out for longer.',
  },
  CURFEW_PASSWORD_MIN_LENGTH: {
    as: 'passwordMinLength',
    form: integer(8, 64).default(PASSWORD_MIN_LENGTH),
    about:
      'Shortest new password, in characters. Fewer than 12 are warned about at the start. NIST SP 800-63B-4: at least 8, and 15 where the password is the only factor. Passwords among the first that are tried are refused at any length.',
  },
  CURFEW_CONFIRM_AFTER_SECONDS: {
    as: 'confirmAfterSeconds',
    form: integer(0, 31_622_400).default(0),
    about:
      'Whatever ends another session than the one that asks, and whatever an administrator changes, asks for the password again when it was given longer ago than this. The four contracts know no such answer and never ask. 0: never.',
  },
} as const satisfies Record<string, Setting>;

const NOTICES = {
  CURFEW_NOTICES_PER_USER: {
    as: 'notices.perUser',
    form: integer(1, 10_000).default(100),
    about: 'WebSockets for notices that one user may have open at one process; each open page has one.',
  },
  CURFEW_NOTICES_PER_NODE: {
    as: 'notices.perNode',
    form: integer(0, 1_000_000).default(20_000),
    about: 'WebSockets for notices that one process holds; more are told to come back later.',
  },
  CURFEW_NOTICES_PER_SECOND: {
    as: 'notices.perSecond',
    form: integer(1, 100_000).default(1000),
    about:
      'New WebSockets for notices that one process takes in a second; more are answered 503 with Retry-After.',
  },
} as const satisfies Record<string, Setting>;

/** The groups of `docs/settings.md`. */
export const SETTING_GROUPS = {
  'The process': PROCESS,
  Pages: PAGES,
  Data: DATA,
  'Who it is, and who may call': IDENTITY,
  'Lifetimes and keys': LIFETIMES,
  'The cookie': COOKIE,
  'Passwords and logins': LOGINS,
  'Notices to devices': NOTICES,
};

export const SETTINGS = {
  ...PROCESS,
  ...PAGES,
  ...DATA,
  ...IDENTITY,
  ...LIFETIMES,
  ...COOKIE,
  ...LOGINS,
  ...NOTICES,
};
