import { availableParallelism } from 'node:os';
import type { z } from 'zod';
import { type ClientDefaults, daysOf, faultOfClient, seedsOf, withDefaults } from './domain/client-terms.ts';
import { COMMAND_SETTINGS } from './command-settings.ts';
import { SETTINGS } from './settings.ts';
import type { Setting } from './system/setting-forms.ts';
import { isLoopback, isLoopbackHost } from './system/setting-forms.ts';

/**
 * A setting is unsafe or cannot be parsed; the message says what would be safe.
 * @example
 * import { createAuthority, ConfigError } from '@curfew/server';
 *
 * await createAuthority().catch((error: unknown) => {
 *   if (error instanceof ConfigError) console.error(`set ${error.setting}`);
 *   throw error;
 * });
 */
export class ConfigError extends Error {
  override name = 'ConfigError';
  /** The name of the setting. */
  readonly setting: string;
  constructor(setting: string, sentence: string) {
    super(`${setting}: ${sentence}`);
    this.setting = setting;
  }
}

type Values = { [Name in keyof typeof SETTINGS]: z.output<(typeof SETTINGS)[Name]['form']> };

/** The settings' values by their place: `notices.perUser` is in `notices`. An unset one is null. */
type Placed = {
  [Name in keyof Values as (typeof SETTINGS)[Name] extends { as: infer Place extends string }
    ? Place
    : never]: undefined extends Values[Name] ? Exclude<Values[Name], undefined> | null : Values[Name];
};
type GroupOf<Place> = Place extends `${infer Group}.${string}` ? Group : never;
type Grouped = {
  [Group in GroupOf<keyof Placed>]: {
    [Place in keyof Placed as Place extends `${Group}.${infer Name}` ? Name : never]: Placed[Place];
  };
} & { [Place in keyof Placed as Place extends `${string}.${string}` ? never : Place]: Placed[Place] };

/** Values derived from several settings, or converted. */
interface Derived {
  /** The old names of settings that were given. */
  oldNames: readonly string[];
  production: boolean;
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
  demoAccounts: boolean;
  issuer: string;
  /** The path of the authority as browsers see it: of the issuer, or else the base path. Without a slash at the end. */
  publicPath: string;
  /** Curfew's own audience: administration and password changes require a credential for it. */
  audience: string;
  /** What a client has where nothing is said of it. */
  clientDefaults: ClientDefaults;
  cookie: {
    name: string;
    /** Cookie names that an earlier setup may have used in the places of `alsoClear`. */
    earlierNames: readonly string[];
    secure: boolean;
    domain: string | null;
    alsoClear: readonly { domain: string | null; path: string }[];
    clearSiteData: readonly string[];
  };
  trustedOrigins: ReadonlySet<string>;
  hashing: { concurrency: number; queue: number };
}

/** The settings, parsed and validated; read-only from here on. */
export type Config = Readonly<Grouped & Derived>;

export type Environment = Record<string, string | undefined>;

/**
 * Parses and validates the settings.
 * @throws ConfigError for the first fault
 */
export function readConfig(environment: Environment): Config {
  const { config, faults } = inspectSettings(environment);
  if (faults[0]) throw faults[0];
  return config;
}

/**
 * Reports every fault, at most one for each setting. The configuration is the one without the faulty settings: for further
 * inspection, not for running.
 */
export function inspectSettings(environment: Environment): { config: Config; faults: ConfigError[] } {
  const found: ConfigError[] = [];
  const report = (setting: string, sentence: string): void => {
    // A consequence is not a second fault: a key that is too short is not missing as well.
    if (!found.some((fault) => fault.setting === setting)) found.push(new ConfigError(setting, sentence));
  };
  const values = parseSettings(environment, report);
  judge(values, report);
  judgeClients(values, report);
  const oldNames = Object.keys(RENAMED).filter((was) => environment[was]);
  return { config: { ...configOf(values), oldNames }, faults: found };
}

/** The faults of the clients of the settings; the log must be kept for as long as a credential of theirs may be presented. */
function judgeClients(values: Values, report: Report): void {
  const defaults = defaultsOf(values);
  const seeds = seedsOf(values.CURFEW_CLIENTS);
  for (const [clientId, terms] of seeds) {
    const fault = faultOfClient(clientId, terms, defaults, {});
    const isOwn = terms.idleSeconds !== null || terms.absoluteSeconds !== null;
    if (fault)
      report(
        fault.field === 'idleSeconds' && !isOwn ? 'CURFEW_IDLE_SECONDS' : 'CURFEW_CLIENTS',
        fault.sentence,
      );
  }
  const days = daysOf([...seeds].map(([clientId, terms]) => withDefaults(clientId, terms, false, defaults)));
  for (const name of ['CURFEW_EVENTS_RETENTION_DAYS', 'CURFEW_AUDIT_RETENTION_DAYS'] as const)
    if (values[name] < days)
      report(
        name,
        `is ${values[name]}, but a session may live for ${days} days (CURFEW_ABSOLUTE_SECONDS, CURFEW_CLIENTS). Set it to ${days} or more.`,
      );
}

/** For how many days what a session left in the log is kept, by setting. */
export const retentionDays = (config: Config): Record<string, number> => ({
  CURFEW_EVENTS_RETENTION_DAYS: config.eventsRetentionDays,
  CURFEW_AUDIT_RETENTION_DAYS: config.auditRetentionDays,
});

const defaultsOf = (values: Values): ClientDefaults => ({
  audience: values.CURFEW_AUDIENCE ?? issuerOf(values),
  idleSeconds: values.CURFEW_IDLE_SECONDS,
  absoluteSeconds: values.CURFEW_ABSOLUTE_SECONDS,
  accessTokenSeconds: values.CURFEW_ACCESS_TOKEN_SECONDS,
  opaqueAccessSeconds: values.CURFEW_OPAQUE_ACCESS_SECONDS,
});

type Report = (setting: string, sentence: string) => void;

const issuerOf = (values: Values): string =>
  (values.CURFEW_ISSUER ?? `http://localhost:${values.PORT}${values.CURFEW_BASE_PATH}`).replace(/\/$/, '');

/** Without a slash at the end: `` for the root. */
const pathOf = (address: string): string => new URL(address).pathname.replace(/\/+$/, '');

/** The rules across settings, and those of production. */
function judge(values: Values, report: Report): void {
  const issuer = new URL(issuerOf(values));
  const overNetwork = issuer.protocol !== 'https:' && !isLoopback(issuer.hostname);
  if (isProduction(values)) {
    if (values.CURFEW_DEMO_ACCOUNTS)
      report('CURFEW_DEMO_ACCOUNTS', `is refused in production: ${EVERYBODY_KNOWS} ${FIRST_ADMINISTRATOR}`);
    if (values.DATABASE_URL === undefined && !values.CURFEW_EMBEDDED_FSYNC)
      report('CURFEW_EMBEDDED_FSYNC', `is refused in production: ${WITHOUT_FSYNC}. Remove the setting.`);
    if (values.CURFEW_KEY === undefined)
      report('CURFEW_KEY', 'is required in production. Set it to the output of: openssl rand -base64 32');
    if (values.CURFEW_ISSUER === undefined)
      report('CURFEW_ISSUER', 'is required in production: the public https:// address of this authority.');
    if (overNetwork)
      report('CURFEW_ISSUER', 'must be https:// in production: cookies and tokens travel to it.');
  }
  if (values.CURFEW_KEY_PREVIOUS !== undefined && values.CURFEW_KEY === undefined)
    report('CURFEW_KEY_PREVIOUS', 'requires CURFEW_KEY. Set both.');
  if (demoAccountsOf(values) && !isLoopbackHost(values.HOST))
    report(
      'HOST',
      `can be reached from the network, but ${EVERYBODY_KNOWS} Set CURFEW_DEMO_ACCOUNTS=0 or HOST=127.0.0.1.`,
    );
  if (values.CURFEW_BASE_PATH !== '' && pathOf(issuer.href) === '')
    report(
      'CURFEW_ISSUER',
      `has no path, but CURFEW_BASE_PATH is ${values.CURFEW_BASE_PATH}. Set it to ${issuer.origin}${values.CURFEW_BASE_PATH}.`,
    );
  if (overNetwork)
    report('CURFEW_ISSUER', 'plain http is allowed only for loopback. Set an https:// address.');
}

/** Part of every message about it. */
export const WITHOUT_FSYNC =
  'without fsync a power cut can undo a logout that was answered, or damage the embedded database';
const EVERYBODY_KNOWS = 'the demonstration accounts have a public password.';
const FIRST_ADMINISTRATOR =
  'Remove the setting, and create the first administrator with: curfew user add you@example.com --role admin --generate';

/** The program that embeds Curfew may be in production without passing NODE_ENV on. */
const isProduction = (values: Values): boolean =>
  values.NODE_ENV === 'production' || process.env['NODE_ENV'] === 'production';

const demoAccountsOf = (values: Values): boolean =>
  values.CURFEW_DEMO_ACCOUNTS ?? (values.DATABASE_URL === undefined && !isProduction(values));

function configOf(values: Values): Omit<Config, 'oldNames'> {
  const issuer = issuerOf(values);
  return {
    ...placed(values),
    production: isProduction(values),
    database: databaseOf(values),
    demoAccounts: demoAccountsOf(values),
    issuer,
    publicPath: pathOf(issuer),
    audience: values.CURFEW_AUDIENCE ?? issuer,
    clientDefaults: defaultsOf(values),
    cookie: cookieOf(values, new URL(issuer).protocol === 'https:'),
    trustedOrigins: new Set([...ownOrigins(issuer, values.PORT), ...values.CURFEW_TRUSTED_ORIGINS]),
    hashing: {
      concurrency: values.CURFEW_HASH_CONCURRENCY ?? Math.max(1, availableParallelism() - 1),
      queue: values.CURFEW_HASH_QUEUE,
    },
  };
}

function placed(values: Values): Grouped {
  const config: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting>(SETTINGS)) {
    if (setting.as === undefined) continue;
    const [first = '', inner] = setting.as.split('.');
    const value = values[name as keyof Values] ?? null;
    config[first] = inner === undefined ? value : { ...(config[first] as object), [inner]: value };
  }
  return config as Grouped;
}

function databaseOf(values: Values): Config['database'] {
  if (values.DATABASE_URL === undefined)
    return { kind: 'embedded', directory: values.CURFEW_DATA, fsync: values.CURFEW_EMBEDDED_FSYNC };
  return {
    kind: 'postgres',
    url: values.DATABASE_URL,
    directUrl: values.CURFEW_DATABASE_DIRECT_URL ?? null,
    schema: values.CURFEW_DATABASE_SCHEMA ?? null,
    pool: values.CURFEW_DATABASE_POOL,
    statementNames: values.CURFEW_STATEMENT_NAMES,
  };
}

function cookieOf(values: Values, secure: boolean): Config['cookie'] {
  const domain = values.CURFEW_COOKIE_DOMAIN ?? null;
  const name = values.CURFEW_COOKIE_NAME;
  return {
    name: (secure ? (domain ? '__Secure-' : '__Host-') : '') + name,
    earlierNames: [...(secure ? [`__Secure-${name}`] : []), name],
    secure,
    domain,
    alsoClear: values.CURFEW_COOKIE_ALSO_CLEAR.map(place),
    clearSiteData: values.CURFEW_CLEAR_SITE_DATA,
  };
}

/** The settings' names now, by their old names. */
export const RENAMED: Record<string, string> = Object.fromEntries(
  (Object.entries(SETTINGS) as [string, Setting][]).flatMap(([name, { was }]) =>
    was === undefined ? [] : [[was, name]],
  ),
);

/** Removed settings, and what to do about each. */
export const GONE: Record<string, string> = {
  CURFEW_ALLOW_EMBEDDED:
    'no longer exists: the embedded database syncs each commit to the disk and may be used in production. Remove the setting.',
};

function parseSettings(environment: Environment, report: Report): Values {
  const values: Record<string, unknown> = {};
  const earlier = (was: string | undefined): string | undefined =>
    was === undefined ? undefined : environment[was];
  for (const [name, { form, was }] of Object.entries(SETTINGS) as [string, Setting][]) {
    if (environment[name] && earlier(was))
      report(name, `is set, and so is its old name ${was}. Set only one of them.`);
    const given = name === 'NODE_ENV' ? (environment[name] ?? process.env[name]) : environment[name];
    const parsed = parseSetting(form, given || earlier(was));
    if (parsed.ok) values[name] = parsed.value;
    else {
      report(name, parsed.sentence);
      values[name] = form.parse(undefined);
    }
  }
  for (const name of Object.keys(environment))
    if (
      name.startsWith('CURFEW_') &&
      !(name in SETTINGS) &&
      !(name in COMMAND_SETTINGS) &&
      !(name in RENAMED)
    ) {
      if (!(name in GONE)) report(name, 'no such setting. docs/settings.md lists all settings.');
      else if (environment[name] !== '') report(name, GONE[name] as string);
    }
  return values as Values;
}

function parseSetting(
  form: z.ZodType,
  text: string | undefined,
): { ok: true; value: unknown } | { ok: false; sentence: string } {
  // A compose file passes an unset variable as an empty one.
  const parsed = form.safeParse(text === '' ? undefined : text);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0];
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  return { ok: false, sentence: `${where}${issue?.message ?? 'cannot be read'}.` };
}

/**
 * Reads the settings of commands.
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

/** In development the same loopback server has two names. */
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
