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
  line,
  integer,
  type Setting,
} from './system/setting-forms.ts';

/* Every setting: its form, its default and its reason. `docs/settings.md` is written from these tables. */

const PROCESS = {
  HOST: {
    as: 'host',
    form: host.default('127.0.0.1'),
    about:
      'The address to listen on. By default only loopback, so that the server is not open to a network by accident.',
  },
  PORT: {
    as: 'port',
    form: integer(0, 65_535).default(8000),
    about: 'The port to listen on. 0 takes a free port.',
  },
  CURFEW_MAX_HEADER_BYTES: {
    as: 'maxHeaderBytes',
    form: integer(8192, 1_048_576).default(65_536),
    about:
      'The largest size of a request’s headers, cookies included. A larger request gets 431. This applies to `curfew serve`; a program with its own HTTP server should set the same limit there (`maxHeaderSize`).',
  },
  LOG_LEVEL: {
    as: 'logLevel',
    form: oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent').default('info'),
    about: 'The lowest level of log lines to print. The server prints JSON lines to standard output.',
  },
  NODE_ENV: {
    form: oneOf('production', 'development', 'test').optional(),
    about:
      '"production" refuses settings that are only safe for trials: demonstration accounts, CURFEW_EMBEDDED_FSYNC=0, a missing CURFEW_KEY or CURFEW_ISSUER. The NODE_ENV of the process also applies to `createAuthority({ settings })`. Default: development.',
  },
  CURFEW_BASE_PATH: {
    as: 'basePath',
    form: z
      .string()
      .regex(
        /^(\/[a-z0-9._~-]*[a-z0-9_~-])+$/i,
        'must be a path such as /auth, with a slash before it and none after it',
      )
      .default(''),
    about:
      'The path under which the authority receives its requests, for a program that embeds it beside its own addresses. Every address is then below it: /auth/v1/login, /auth/login, /auth/docs. The public address in CURFEW_ISSUER must name a path too. Default: none.',
  },
} as const satisfies Record<string, Setting>;

const PAGES = {
  CURFEW_PAGES: {
    as: 'pages',
    form: flag.default(true),
    about:
      'Serve the pages /login, /logout, /devices and /admin, and their files under /pages. With 0 those addresses are free. The API does not change.',
  },
} as const satisfies Record<string, Setting>;

const DATA = {
  DATABASE_URL: {
    form: databaseUrl.optional(),
    about:
      'The address of PostgreSQL 15 to 18. Default: an embedded database in CURFEW_DATA, for one process on one machine.',
  },
  CURFEW_DATABASE_DIRECT_URL: {
    form: databaseUrl.optional(),
    about:
      'An address of the same PostgreSQL that bypasses a connection pooler. Nodes use it to notify each other of logouts (LISTEN), which a pooler in transaction mode does not support. Default: DATABASE_URL, unless CURFEW_STATEMENT_NAMES=0.',
  },
  CURFEW_DATABASE_SCHEMA: {
    form: z
      .string()
      .regex(/^[^"\0\\\s]{1,63}$/, 'must be the name of a schema, without quotes and spaces')
      .optional(),
    about:
      'The schema of the tables. It must exist. Default: the schema that has the name of the database role if it exists, otherwise public. Curfew ignores the search_path of the database and the role.',
  },
  CURFEW_DATABASE_POOL: {
    form: integer(2, 200).default(10),
    about:
      'The connections of one process to PostgreSQL, in addition to one that listens. A fifth is reserved for logouts, a fifth for checks, one for the node’s own reads, and one for other calls; with fewer than four, at least one is kept from logins. Any call may use the rest.',
  },
  CURFEW_STATEMENT_NAMES: {
    form: flag.default(true),
    about:
      'Use named prepared statements, and settings that a connection keeps. Set to 0 behind a connection pooler in transaction mode (PgBouncer): each statement then runs in its own transaction with its settings. Then also set CURFEW_DATABASE_DIRECT_URL.',
  },
  REDIS_URL: {
    as: 'redisUrl',
    form: redisUrl.optional(),
    about:
      'Redis or Valkey: the doorbell between nodes, and the cached keys of contract 001. It is only a copy: its loss cannot revive a session.',
  },
  CURFEW_DATA: {
    form: line.default('./curfew-data'),
    about:
      'The directory of the embedded database. Only one process at a time can use it; a second one does not start.',
  },
  CURFEW_EMBEDDED_FSYNC: {
    form: flag.default(true),
    about:
      'Sync each commit of the embedded database to the disk before the call is answered. Set to 0 only for tests and trials: a power cut can then undo a logout or damage the database. 0 is refused in production.',
  },
  CURFEW_DEMO_ACCOUNTS: {
    form: flag.optional(),
    about:
      'Create admin@example.com (administrator) and test@example.com, both with the password password123, in an empty database. Default: 1 with the embedded database outside production, otherwise 0.',
  },
  CURFEW_CACHE_KEYS: {
    as: 'cache.keys',
    form: list(
      (item) => item.includes('{user_id}'),
      'each item is the template of a key and contains {user_id}: user:{user_id}',
      'user:{user_id},user_profile:{user_id},user_workspace:{user_id}',
    ),
    about: 'The Redis keys that a logout deletes (contract 001). An application can add its own keys.',
  },
  CURFEW_CACHE_SECONDS: {
    as: 'cache.seconds',
    form: seconds(300),
    about: 'The lifetime of the cached keys of contract 001.',
  },
  CURFEW_PLACES: {
    as: 'places',
    form: line.optional(),
    about:
      'The path of your city database in MaxMind’s format (.mmdb). Lists of sessions then show the city near each address. The server reads the file into memory when it starts. It looks places up when it shows them, does not store them, and calls no other service. Default: no places.',
  },
  CURFEW_RETENTION_DAYS: {
    as: 'retentionDays',
    form: integer(1, 36_500).default(90),
    about: 'How long ended sessions are kept for the history.',
  },
  CURFEW_EVENTS_RETENTION_DAYS: {
    as: 'eventsRetentionDays',
    form: integer(1, 36_500).default(400),
    about:
      'How long events of the log and refused attempts are kept. Must not be shorter than the longest lifetime of a session. An event stays until every reader of the log has processed it.',
  },
  CURFEW_AUDIT_RETENTION_DAYS: {
    as: 'auditRetentionDays',
    form: integer(1, 36_500).default(400),
    about: "How long the rows of contract 004's table `logs` are kept.",
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
        'is not random text. Set it to the output of: openssl rand -base64 32',
      )
      .optional(),
    about:
      'Encrypts the signing keys in the database (AES-256-GCM). Required in production. By default the embedded database creates its own key in CURFEW_DATA/curfew.key.',
  },
  CURFEW_ISSUER: {
    form: httpAddress.optional(),
    about:
      'The public address of this authority, with its path if it has one. It is the `iss` of its tokens, and its origin is a trusted origin. Default: http://localhost:PORT and CURFEW_BASE_PATH. Plain http is allowed only for localhost, its subdomains and 127.0.0.1. Required in production.',
  },
  CURFEW_AUDIENCE: {
    form: line.optional(),
    about:
      'The audience of Curfew itself, and the `aud` of access tokens for applications without their own audience. The administration, `/v1/password` and `/v1/session/confirm` accept only credentials of this audience. Default: the issuer.',
  },
  CURFEW_SERVICE_KEYS: {
    as: 'serviceKeys',
    form: list(
      (key) => key.length >= 32,
      'each key must have at least 32 characters: openssl rand -base64 32',
    ),
    about:
      'Keys that may do everything, separated by commas. API keys replace them: `curfew api-keys create` makes one for each back end, with the scopes that it needs, and it can be revoked without a restart. The server warns while this is set.',
  },
  CURFEW_CLIENTS: {
    as: 'givenClients',
    was: 'CURFEW_APPLICATIONS',
    form: clientsForm,
    about:
      'Applications (client_id) to create, as JSON: {"shop":{"name":"The shop","idleSeconds":1800,"absoluteSeconds":43200,"accessTokenSeconds":300,"opaqueAccessSeconds":3600,"audience":"https://shop.example","algorithm":"ES256","grantTypes":["password","service"],"externalIssuers":["default"]}}. A start creates those that the database lacks. After that the database decides: change an application with `curfew clients update`. A start warns about a setting that differs from the database. "default", "envelope", "session-id", "token" and "cookie" always exist; the setting counts for them when a server first starts on the database.',
  },
  CURFEW_TRUSTED_ORIGINS: {
    form: list(
      (item) => URL.canParse(item) && new URL(item).origin === item,
      'each item is an origin: https://app.example.com, no path',
    ),
    about: 'Origins, in addition to the issuer, whose pages may send requests with the session cookie.',
  },
  CURFEW_TRUSTED_PROXIES: {
    as: 'trustedProxies',
    form: list(isCidr, 'each item is an address or a network: 10.0.0.0/8, 127.0.0.1'),
    about:
      'Proxies whose X-Forwarded-For header, or Forwarded (RFC 7239) without it, Curfew trusts. Default: none, because anybody can send those headers.',
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
      'The other key while you change CURFEW_KEY: the old one or the new one. Curfew decrypts and verifies with it, but does not encrypt or sign with it. See the guide to operation.',
  },
  CURFEW_IDLE_SECONDS: {
    form: seconds(7 * 86_400),
    about:
      'A session expires after this time without activity. NIST SP 800-63B-4 sets no idle limit at AAL1; use 3600 or less at AAL2.',
  },
  CURFEW_ABSOLUTE_SECONDS: {
    form: seconds(30 * 86_400),
    about:
      'A session expires this long after its login, with or without activity. NIST SP 800-63B-4: 30 days at AAL1, 86400 or less at AAL2.',
  },
  CURFEW_ACCESS_TOKEN_SECONDS: {
    form: seconds(300),
    about:
      'The lifetime of an access JWT. Checks by Curfew and its verifier see a logout at once. For a third party that checks only with the public keys, this is how long a token stays valid.',
  },
  CURFEW_OPAQUE_ACCESS_SECONDS: {
    form: seconds(3600),
    about: 'The lifetime of an opaque access token (contract 003).',
  },
  CURFEW_REFRESH_GRACE_SECONDS: {
    as: 'graceSeconds',
    form: integer(0, 60).default(10),
    about:
      'For this long a spent refresh token still returns the same successor, for two tabs or a lost answer. A later use is a replay and ends the session.',
  },
  CURFEW_LEASE_MS: {
    as: 'leaseMs',
    form: integer(200, 60_000).default(1000),
    about:
      'The lease. A node answers checks from memory only while its last complete read of the log is younger than this. It is also the longest time that a logout waits for a node that is cut off.',
  },
  CURFEW_KEY_ROTATION_DAYS: {
    as: 'keys.rotationDays',
    form: integer(0, 3650).default(90),
    about:
      'The age at which signing keys rotate automatically. With 0 they rotate only by `curfew keys rotate`.',
  },
  CURFEW_KEY_PUBLISH_SECONDS: {
    as: 'keys.publishSeconds',
    form: integer(0, 86_400).default(600),
    about:
      'How long a new signing key is published before it signs. Must be longer than verifiers cache the key set (300 s).',
  },
} as const satisfies Record<string, Setting>;

const COOKIE = {
  CURFEW_COOKIE_NAME: {
    form: z
      .string()
      .regex(/^[a-z0-9_-]{1,40}$/i, 'must be 1 to 40 letters, digits, - and _')
      .default('curfew_session'),
    about: 'The name of the session cookie, without the __Host- prefix that Curfew adds over HTTPS.',
  },
  CURFEW_COOKIE_DOMAIN: {
    form: z
      .string()
      .regex(/^[a-z0-9.-]+$/i, 'must be a domain: example.com')
      .optional(),
    about:
      'Share the cookie with the subdomains of this domain. The prefix is then __Secure-, because __Host- does not allow a domain.',
  },
  CURFEW_COOKIE_ALSO_CLEAR: {
    form: list(
      (item) => /^[a-z0-9.-]*(\/[^\s;,\p{Cc}]*)?$/iu.test(item),
      'each item is a domain, a path, or both: example.com, /app, example.com/app',
    ),
    about:
      'More domains and paths from which login and logout delete the cookie, for cookies of an earlier setup: example.com/app, /old.',
  },
  CURFEW_CLEAR_SITE_DATA: {
    form: list(
      (item) => ['cache', 'cookies', 'storage'].includes(item),
      'each item is one of cache, cookies, storage',
    ),
    about:
      'Send Clear-Site-Data with a cookie logout. Default: off, because "cookies" clears the whole registrable domain.',
  },
} as const satisfies Record<string, Setting>;

const LOGINS = {
  CURFEW_HASH_CONCURRENCY: {
    form: integer(1, 64).optional(),
    about:
      'How many password hashes run at once. Default: the number of processors minus one, at least 1, so that a flood of logins leaves room for logouts.',
  },
  CURFEW_HASH_QUEUE: {
    form: integer(0, 10_000).default(64),
    about: 'How many logins may wait for a hash. Further logins get 503 with Retry-After.',
  },
  CURFEW_LOGIN_FAILURES_PAIR: {
    as: 'loginLimits.pair',
    form: integer(1).default(10),
    about: 'Failed logins to one account from one address within the window before further ones must wait.',
  },
  CURFEW_LOGIN_FAILURES_ADDRESS: {
    as: 'loginLimits.address',
    form: integer(1).default(100),
    about:
      'Failed logins from one address (IPv6: one /64) within the window before further ones must wait. Requests with an API key that is not valid have the same limit, counted apart by each node; a valid key is accepted always.',
  },
  CURFEW_LOGIN_FAILURES_ACCOUNT: {
    as: 'loginLimits.account',
    form: integer(1).default(200),
    about:
      'Failed logins to one account from all addresses within the window before further ones must wait. Addresses from which the account logged in before are exempt.',
  },
  CURFEW_LOGIN_WINDOW_SECONDS: {
    as: 'loginLimits.windowSeconds',
    form: seconds(900),
    about: 'The window of the three limits above, and so the longest wait.',
  },
  CURFEW_PASSWORD_MIN_LENGTH: {
    as: 'passwordMinLength',
    form: integer(8, 64).default(PASSWORD_MIN_LENGTH),
    about:
      'The shortest new password, in characters. The server warns at its start about fewer than 12. NIST SP 800-63B-4: at least 8, and 15 where the password is the only factor. Common passwords are refused at any length.',
  },
  CURFEW_CONFIRM_AFTER_SECONDS: {
    as: 'confirmAfterSeconds',
    form: integer(0, 31_622_400).default(0),
    about:
      'After this time a session must confirm its password before it may end another session or use its administrator rights to change something. The four contracts have no such answer and never ask. 0: never.',
  },
} as const satisfies Record<string, Setting>;

const NOTICES = {
  CURFEW_NOTICES_PER_USER: {
    as: 'notices.perUser',
    form: integer(1, 10_000).default(100),
    about: 'How many WebSockets for notices one user may have at one process. Each open page has one.',
  },
  CURFEW_NOTICES_PER_NODE: {
    as: 'notices.perNode',
    form: integer(0, 1_000_000).default(20_000),
    about: 'How many WebSockets for notices one process accepts. Further devices are told to try later.',
  },
  CURFEW_NOTICES_PER_SECOND: {
    as: 'notices.perSecond',
    form: integer(1, 100_000).default(1000),
    about:
      'How many new WebSockets for notices one process accepts in a second. Further ones get 503 with Retry-After.',
  },
} as const satisfies Record<string, Setting>;

/** The groups of `docs/settings.md`. */
export const SETTING_GROUPS = {
  'The process': PROCESS,
  Pages: PAGES,
  Data: DATA,
  'Identity and callers': IDENTITY,
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
