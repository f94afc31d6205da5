/** Settings from the environment: an invalid one is named, with what it takes, and is not repeated. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Environment, inspectSettings, readCommandSettings, readConfig } from '../src/config.ts';
import { COMMAND_SETTINGS } from '../src/command-settings.ts';
import { optionOf, readSettings } from '../src/setting-options.ts';
import { SETTINGS } from '../src/settings.ts';
import type { Setting } from '../src/system/setting-forms.ts';
import { openPostgres } from '../src/store/postgres.ts';
import { redact } from '../src/system/log.ts';
import { silent } from './support.ts';

const NUMBERS = [
  '80a',
  '-1',
  '1.5',
  '1e3',
  '0x10',
  ' 5',
  '5 ',
  '',
  'NaN',
  'Infinity',
  '99999999999',
  '٥',
  'ten',
].filter(Boolean);
const SECRET = 'hunter2Secret';
const FLAGS = ['yes', 'no', 'on', 'TRUE', '2', ' 1', '01'];
const ADDRESSES = [
  'auth.example.com',
  'ftp://auth.example.com',
  'https://',
  'https:/a',
  `https://me:${SECRET}@a`,
  'https://a?x=1',
  'https://a#x',
  'https://a b',
  'javascript:alert(1)',
];

/** Values that a setting must refuse. Those that are not here are numbers, by their sentence, or take any text. */
const BAD: Record<string, string[]> = {
  HOST: ['127.0.0.1:80', 'http://localhost', 'a b', '[::1]', 'a/b', '-a'],
  CURFEW_BASE_PATH: [
    'auth',
    '/',
    '/auth/',
    '//auth',
    '/a//b',
    '/../a',
    '/a b',
    '/a?b',
    '/ä',
    'https://a.example/auth',
    '/.',
  ],
  DATABASE_URL: [
    `mysql://me:${SECRET}@h/db`,
    'host=localhost dbname=curfew',
    `postgres:/me:${SECRET}@h/db`,
    `postgres://me:${SECRET}#1@h/db`,
    `postgres://me:1${SECRET}#@h/db`,
    `postgres://me:${SECRET}%@h/db`,
    `postgres://me:${SECRET}%zz@h/db`,
    `postgres://me:${SECRET}%ff@h/db%ff%`,
    `postgres://me:${SECRET}/x@h/db`,
    `postgres://me:${SECRET}?x@h/db`,
    `postgres://me:${SECRET} x@h/db`,
    `postgres://me:${SECRET}@h:port/db`,
    `postgres://me:${SECRET}@h:0/db`,
    `postgres://me:${SECRET}@h:99999/db`,
    `postgres://me:${SECRET}@h/db/more`,
    `postgres://me:${SECRET}@a:5432,b:5432/db`,
    `postgres://me:${SECRET}@a,b/db`,
    `postgres://me:${SECRET}@/db?host=a,b`,
    `postgres://me:${SECRET}@/db?host=/a,/b`,
    `postgres://me:${SECRET}@h/db?port=x`,
    `postgres://me:${SECRET}@h:1:2/db`,
    `postgres://me:${SECRET}@[::1/db`,
    `postgres://me:${SECRET}@h;x/db`,
  ],
  REDIS_URL: [
    'redis.example.com:6379',
    `http://:${SECRET}@h`,
    'redis://',
    `redis://:${SECRET}@`,
    `redis://:${SECRET}#@h`,
    `redis://:${SECRET}%@h`,
    `redis://:${SECRET}/@h`,
    `redis://:${SECRET}@h:port`,
    `redis://:${SECRET}@h:70000`,
    `redis://:${SECRET}@h/name`,
    `redis://:${SECRET}@a,b`,
    'redis://h h',
  ],
  CURFEW_DATA: ['a\nb'],
  CURFEW_KEY: [SECRET],
  CURFEW_KEY_PREVIOUS: [SECRET],
  CURFEW_ISSUER: ADDRESSES,
  CURFEW_SERVICE_KEYS: [SECRET, `${'k'.repeat(32)},${SECRET}`],
  CURFEW_CLIENTS: [
    'shop',
    '[]',
    '3',
    'null',
    '{"a b":{}}',
    '{"":{}}',
    '{"shop":3}',
    '{"shop":{"idle":5}}',
    '{"shop":{"idleSeconds":"5"}}',
    '{"shop":{"idleSeconds":0}}',
    '{"shop":{"accessTokenSeconds":1.5}}',
    '{"shop":{"algorithm":"none"}}',
    '{"shop":{"audience":""}}',
    '{"shop":{"name":5}}',
    `{"shop":${SECRET}}`,
  ],
  CURFEW_COOKIE_NAME: ['a b', 'a=b', 'a;b', 'ü', 'x'.repeat(41)],
  CURFEW_COOKIE_DOMAIN: ['a b', 'https://example.com', 'example.com/'],
  CURFEW_COOKIE_ALSO_CLEAR: ['https://a', 'a b', '/a;b', '/a\u0007'],
  CURFEW_CLEAR_SITE_DATA: ['all', 'cookies storage', '"cookies"'],
  CURFEW_TRUSTED_ORIGINS: [
    'example.com',
    'https://example.com/',
    'https://a/b',
    '*',
    'null',
    'https://a https://b',
  ],
  CURFEW_TRUSTED_PROXIES: ['proxy', '10.0.0.0/33', '10.0.0/8', '::/129', '10.0.0.1:80', '10.0.0.0/8/8', '*'],
  CURFEW_CACHE_KEYS: ['user', 'user:{user_id},profile', 'user:{id}'],
  LOG_LEVEL: ['INFO', 'verbose', '30', 'info '],
  NODE_ENV: ['prod', 'Production', ' production', 'production ', 'PRODUCTION', 'staging', 'live', '1'],
};

const isFlag = (name: string): boolean => /must be 1 or 0/.test(complaint(name, 'maybe') ?? '');
const complaint = (name: string, value: string): string | undefined =>
  inspectSettings({ [name]: value }).faults.find(({ setting }) => setting === name)?.message;

const CASES = Object.keys(SETTINGS).flatMap((name) => {
  const bad = BAD[name] ?? (isFlag(name) ? FLAGS : NUMBERS.filter((value) => complaint(name, value)));
  return bad.map((value) => [name, value] as const);
});

/** Words that a message must not contain: the library's, and the value. */
const NOT_SAID = /invalid|expected|received|NaN|undefined|regex|pattern|zod|TypeError/i;

test('every setting that does not take any text has bad values', () => {
  const without = Object.keys(SETTINGS).filter((name) => !CASES.some(([one]) => one === name));
  for (const name of without)
    expect([name, complaint(name, 'any text') ?? 'takes any text']).toEqual([name, 'takes any text']);
  expect(without.length).toBeLessThan(5);
});

describe.each(CASES)('%s=%j', (name, value) => {
  test('is refused with its name and what it takes, and is not repeated', () => {
    const { config, faults } = inspectSettings({ [name]: value });
    expect(faults.map(({ setting }) => setting)).toContain(name);
    const said = complaint(name, value) ?? '';
    expect(said).toMatch(
      new RegExp(`^${name}: (.*: )?(must |each |the name |has an unknown member: ).*\\.$`),
    );
    expect(said).not.toMatch(NOT_SAID);
    expect(said).not.toContain(SECRET);
    // In its displayed form: a value that is no secret does not look like one.
    expect(redact(said)).toBe(said);
    expect(() => readConfig({ [name]: value })).toThrow(said);
    // Later inspections still have a value to work with.
    expect(config.host).not.toBe('');
  });
});

test.each([
  ['PORT', '80a', 'PORT: must be a whole number from 0 to 65535.'],
  ['CURFEW_PAGES', 'yes', 'CURFEW_PAGES: must be 1 or 0 (or true or false).'],
  ['NODE_ENV', 'prod', 'NODE_ENV: must be one of production, development, test.'],
  [
    'DATABASE_URL',
    `postgres://me:a#${SECRET}@h/db`,
    'DATABASE_URL: must be postgres://user:PASSWORD@host:5432/database or, over a socket, postgres://user@/database?host=/var/run/postgresql. In a password write % as %25, # as %23, @ as %40, / as %2F, ? as %3F and : as %3A.',
  ],
])('%s=%s says: %3$s', (name, value, says) => {
  expect(complaint(name, value)).toBe(says);
});

test('a list of hosts is refused with advice', () => {
  expect(complaint('DATABASE_URL', 'postgres://a,b/db')).toMatch(/^DATABASE_URL: must name one host: /);
});

test('the commands’ settings are refused alike', () => {
  for (const value of ADDRESSES) {
    const read = (): unknown => readCommandSettings({ CURFEW_URL: value });
    expect(read).toThrow(/^CURFEW_URL: must be an address with http:\/\/ or https:\/\//);
    expect(read).not.toThrow(SECRET);
  }
  expect(() => readCommandSettings({ CURFEW_SERVICE_KEY: SECRET })).toThrow(
    /^CURFEW_SERVICE_KEY: must be an API key/,
  );
  expect(Object.keys(COMMAND_SETTINGS)).toEqual(['CURFEW_URL', 'CURFEW_SERVICE_KEY']);
});

test.each<Environment>([
  { HOST: '::1' },
  { HOST: 'localhost' },
  { HOST: 'node-1.internal', CURFEW_DEMO_ACCOUNTS: '0' },
  { PORT: '0' },
  { PORT: '' },
  { CURFEW_PAGES: 'false' },
  { CURFEW_ISSUER: 'https://auth.example.com/base' },
  { CURFEW_TRUSTED_PROXIES: '10.0.0.0/8, ::1,' },
  {
    CURFEW_CLIENTS: '{"shop":{"name":"Shop","idleSeconds":60,"audience":"https://a","algorithm":"ES256"}}',
  },
  { NODE_ENV: 'development' },
  { REDIS_URL: 'redis://h' },
  { REDIS_URL: 'rediss://me:a%23b@[::1]:6379/2?family=6' },
  { REDIS_URL: 'redis://:p@127.0.0.1:6379/' },
])('%j is accepted', (settings) => {
  expect(inspectSettings(settings).faults).toEqual([]);
});

describe('an address of PostgreSQL', () => {
  test.each([
    ['postgres:///curfew?host=/var/run/postgresql', '/var/run/postgresql'],
    ['postgresql://%2Fvar%2Frun%2Fpostgresql/curfew', '/var/run/postgresql'],
    ['postgres://me:p%40%23%25@%2Fvar%2Frun%2Fpostgresql:5433/db', '/var/run/postgresql'],
    ['postgres://me:pw@/db?host=/var/run/postgresql&port=5433', '/var/run/postgresql'],
    ['postgres://me@/db', 'localhost'],
    ['postgres://', 'localhost'],
    ['postgres://h', 'h'],
    ['postgres://me:p@ss@h/db', 'h'],
    ['POSTGRESQL://me:pw@h.example:5433/db?sslmode=require', 'h.example:5433'],
    ['postgres://me:pw@[::1]:5432/db', '[::1]:5432'],
    ['postgres://me:pw@127.0.0.1/my-db_1', '127.0.0.1'],
    ['postgres://h/db?application_name=x%20y', 'h'],
  ])('%s is accepted, and shown as %s', async (url, place) => {
    expect(inspectSettings({ DATABASE_URL: url }).faults).toEqual([]);
    const database = openPostgres({ url, pool: 2, statementNames: true, log: silent });
    expect(database.description).toBe(`PostgreSQL at ${place}`);
    await database.close();
  });
});

describe('production', () => {
  const production = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://h/db',
    CURFEW_KEY: 'Zm9yIHRlc3RzIG9ubHksIGFuZCBsb25nIGVub3VnaA==',
    CURFEW_ISSUER: 'https://auth.example.com',
  };

  test('has no demonstration accounts', () => {
    expect(readConfig(production).demoAccounts).toBe(false);
    const embedded = { ...production, DATABASE_URL: '' };
    expect(readConfig(embedded).demoAccounts).toBe(false);
    for (const settings of [production, embedded])
      for (const value of ['1', 'true'])
        expect(() => readConfig({ ...settings, CURFEW_DEMO_ACCOUNTS: value })).toThrow(
          /^CURFEW_DEMO_ACCOUNTS: is refused in production: .* public password\. Remove the setting/,
        );
  });

  test('accepts the embedded database, but not without fsync', () => {
    const embedded = { ...production, DATABASE_URL: '' };
    expect(readConfig(embedded).database).toEqual({
      kind: 'embedded',
      directory: './curfew-data',
      fsync: true,
    });
    expect(() => readConfig({ ...embedded, CURFEW_EMBEDDED_FSYNC: '0' })).toThrow(
      /^CURFEW_EMBEDDED_FSYNC: is refused in production: without fsync a power cut can undo a logout/,
    );
    // Where there is a PostgreSQL the setting means nothing.
    expect(() => readConfig({ ...production, CURFEW_EMBEDDED_FSYNC: '0' })).not.toThrow();
  });

  test.each(['1', '0'])('names a removed setting: CURFEW_ALLOW_EMBEDDED=%s', (value) => {
    expect(() => readConfig({ ...production, CURFEW_ALLOW_EMBEDDED: value })).toThrow(
      /^CURFEW_ALLOW_EMBEDDED: no longer exists: .* may be used in production\. Remove the setting\.$/,
    );
    expect(() => readConfig({ ...production, CURFEW_ALLOW_EMBEDDED: '' })).not.toThrow();
  });

  test('accepts a setting by its old name, warns, and refuses both names at once', () => {
    const shop = '{"shop":{"idleSeconds":60}}';
    const { givenClients, oldNames } = readConfig({ ...production, CURFEW_APPLICATIONS: shop });
    expect(givenClients['shop']?.idleSeconds).toBe(60);
    expect(oldNames).toEqual(['CURFEW_APPLICATIONS']);
    expect(readConfig({ ...production, CURFEW_CLIENTS: shop, CURFEW_APPLICATIONS: '' }).oldNames).toEqual([]);
    expect(() => readConfig({ ...production, CURFEW_CLIENTS: shop, CURFEW_APPLICATIONS: shop })).toThrow(
      'CURFEW_CLIENTS: is set, and so is its old name CURFEW_APPLICATIONS. Set only one of them.',
    );
  });

  test('is the process’s too, whatever is passed', () => {
    const before = process.env['NODE_ENV'];
    try {
      process.env['NODE_ENV'] = 'production';
      expect(inspectSettings({}).config).toMatchObject({ production: true, demoAccounts: false });
      for (const settings of [{}, { NODE_ENV: 'development' }, { NODE_ENV: '' }])
        expect(
          inspectSettings({ ...settings, CURFEW_DEMO_ACCOUNTS: '1' }).faults.map(({ setting }) => setting),
        ).toEqual(['CURFEW_DEMO_ACCOUNTS', 'CURFEW_KEY', 'CURFEW_ISSUER']);
      process.env['NODE_ENV'] = 'prod';
      expect(() => readConfig({})).toThrow(/^NODE_ENV: /);
      // A program that embeds Curfew passes NODE_ENV on.
      expect(readConfig({ NODE_ENV: 'development' }).production).toBe(false);
    } finally {
      process.env['NODE_ENV'] = before;
    }
  });

  test.each(['0.0.0.0', '::', '192.0.2.1', 'node-1', '::ffff:192.0.2.1'])(
    'demonstration accounts are refused on a network: HOST=%s',
    (HOST) => {
      for (const more of [
        {},
        { CURFEW_DEMO_ACCOUNTS: '1' },
        { DATABASE_URL: 'postgres://h/db', CURFEW_DEMO_ACCOUNTS: '1' },
      ])
        expect(() => readConfig({ HOST, ...more })).toThrow(
          /^HOST: can be reached from the network, .* Set CURFEW_DEMO_ACCOUNTS=0 or HOST=127\.0\.0\.1\.$/,
        );
      expect(readConfig({ HOST, CURFEW_DEMO_ACCOUNTS: '0' }).demoAccounts).toBe(false);
      expect(readConfig({ HOST, DATABASE_URL: 'postgres://h/db' }).demoAccounts).toBe(false);
    },
  );
});

test('every setting is in the configuration, at its place or derived by config.ts', () => {
  const source = readFileSync(new URL('../src/config.ts', import.meta.url), 'utf8');
  const config = readConfig({});
  for (const [name, { as }] of Object.entries<Setting>(SETTINGS)) {
    const [group = '', inner] = as?.split('.') ?? [];
    const value = (config as unknown as Record<string, unknown>)[group];
    const found = inner === undefined ? value : (value as Record<string, unknown> | undefined)?.[inner];
    expect([name, as === undefined ? source.includes(`values.${name}`) : found !== undefined]).toEqual([
      name,
      true,
    ]);
  }
});

describe('settings as options of a program', () => {
  test('every setting has an option of its own', () => {
    const options = Object.keys(SETTINGS).map(optionOf);
    expect(new Set(options).size).toBe(options.length);
    expect(options).toEqual(
      expect.arrayContaining(['basePath', 'databaseUrl', 'port', 'serviceKeys', 'loginFailuresPair']),
    );
    for (const taken of ['settings', 'log', 'ownProcess', 'onStep', 'system'])
      expect(options).not.toContain(taken);
  });

  test('options are typed, and count before texts', () => {
    const keys = ['k'.repeat(32), 'l'.repeat(32)];
    const clients = { shop: { audience: 'https://shop.example' } };
    const config = readSettings(
      { PORT: '1', CURFEW_PAGES: '1', LOG_LEVEL: 'warn' },
      { port: 9000, pages: false, serviceKeys: keys, clients, basePath: '/auth', redisUrl: undefined },
    );
    expect(config).toMatchObject({
      port: 9000,
      pages: false,
      logLevel: 'warn',
      serviceKeys: keys,
      basePath: '/auth',
      issuer: 'http://localhost:9000/auth',
      publicPath: '/auth',
      redisUrl: null,
    });
    expect(config.givenClients['shop']?.audience).toBe('https://shop.example');
  });

  test.each([
    [{ port: 'x' }, 'port: must be a whole number from 0 to 65535.'],
    [{ trustedOrigins: ['https://a.example/b'] }, 'trustedOrigins: each item is an origin'],
    [
      { trustedOrigins: ['https://a.example,https://b.example'] },
      'trustedOrigins: must be an array of texts without commas.',
    ],
    [{ bazPath: '/auth' }, 'bazPath: no such option.'],
    [{ toString: '/auth' }, 'toString: no such option.'],
  ])('a fault names the option: %j', (options, sentence) => {
    expect(() => readSettings({}, options as Record<string, unknown>)).toThrow(sentence);
  });
});
