import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { inject, describe, expect, test } from 'vitest';
import { judgeClock } from '../../src/cli/doctor/database.ts';
import { judgeVersion } from '../../src/cli/doctor/postgres.ts';
import type { Environment } from '../../src/config.ts';
import { newKey } from '../http/logins.ts';
import { freshData } from '../services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { databaseUrl, withClient } from '../services/postgres.ts';
import { makeScratch } from '../services/scratch.ts';
import { migrated, SERVICE_KEY } from '../support.ts';
import { run, serve } from './processes.ts';

interface Finding {
  state: string;
  about: string;
  sentence: string;
}

async function examine(
  environment: Environment,
): Promise<{ code: number | null; ok: boolean; problems: Finding[]; of: (about: string) => Finding[] }> {
  const { code, json } = await run(['doctor', '--json'], { PORT: '0', ...environment });
  const findings = json.findings as Finding[];
  return {
    code,
    ok: json.ok,
    problems: findings.filter(({ state }) => state === 'problem'),
    of: (about) => findings.filter((finding) => finding.about === about),
  };
}

test('reports all faults at once, and no secret', async () => {
  const bad = {
    NODE_ENV: 'production',
    PORT: '99999',
    CURFEW_KEY: 'too short',
    CURFEW_LEASE: '5',
    CURFEW_COOKIE_DOMAIN: 'a b',
    CURFEW_CLIENTS: '{"shop":{"idleSeconds":99999999}}',
    DATABASE_URL: 'postgres://me:hunter22222@127.0.0.1:1/none',
    REDIS_URL: 'redis://:hunter33333@127.0.0.1:1',
    CURFEW_PLACES: 'nowhere.mmdb',
  };
  const { code, json, out, err } = await run(['doctor', '--json'], bad);
  expect({ code, err, ok: json.ok }).toEqual({ code: 1, err: '', ok: false });
  const problems = (json.findings as Finding[]).filter(({ state }) => state === 'problem');
  // One for each setting: the key is too short, and not missing as well.
  expect(problems.map(({ about }) => about).sort()).toEqual([
    'CURFEW_CLIENTS',
    'CURFEW_COOKIE_DOMAIN',
    'CURFEW_ISSUER',
    'CURFEW_KEY',
    'CURFEW_LEASE',
    'CURFEW_PLACES',
    'DATABASE_URL',
    'PORT',
    'REDIS_URL',
  ]);
  expect(out).not.toMatch(/hunter|too short/);
  const text = await run(['doctor'], bad);
  expect(text.code).toBe(1);
  expect(text.out).toMatch(/^problem {2}DATABASE_URL +nothing listens at 127\.0\.0\.1:1/m);
  expect(text.out).toMatch(/\n9 problems found\.\n$/);
});

test('examines the embedded database: before its first start, free, in use, with another key', async () => {
  const before = await examine({ CURFEW_DATA: makeScratch('data') });
  expect(before).toMatchObject({ code: 0, ok: true });
  expect(before.of('CURFEW_DATA')[0]?.sentence).toContain('no database in');

  const place = { CURFEW_DATA: freshData('data'), CURFEW_EMBEDDED_FSYNC: '0', CURFEW_APPLICATIONS: '{}' };
  const server = await serve(place);
  const during = await examine({ ...place, PORT: new URL(server.url).port });
  expect(during.code).toBe(0);
  expect(server.output()).toContain(
    'CURFEW_APPLICATIONS is the old name of CURFEW_CLIENTS: use the new name',
  );
  expect(during.of('CURFEW_APPLICATIONS')).toMatchObject([
    { state: 'warning', sentence: 'is the old name of CURFEW_CLIENTS. Use the new name.' },
  ]);
  expect(during.of('CURFEW_DATA')).toMatchObject([{ state: 'ok' }]);
  expect(during.of('CURFEW_DATA')[0]?.sentence).toContain(`in use by the server at ${server.url}, process`);
  expect(during.of('PORT')[0]?.sentence).toMatch(/is in use by a Curfew server, which answers\.$/);
  await server.stop();

  const after = await examine({
    ...place,
    CURFEW_KEY: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c',
  });
  expect(after.of('CURFEW_DATA')[0]?.sentence).toContain('is free');
  expect(after.of('schema')).toMatchObject([{ state: 'ok' }]);
  expect(after.problems).toMatchObject([{ about: 'CURFEW_KEY' }]);
  expect(after.code).toBe(1);
});

test('names what CURFEW_CLIENTS says otherwise than the database, and what is not created', async () => {
  const place = { CURFEW_DATA: freshData('data'), CURFEW_EMBEDDED_FSYNC: '0' };
  const setting = (clients: object): Environment => ({ ...place, CURFEW_CLIENTS: JSON.stringify(clients) });
  const shop = { name: 'The shop', idleSeconds: 1800 };
  const server = await serve({ ...setting({ shop, old: {} }), CURFEW_SERVICE_KEYS: SERVICE_KEY });
  const gone = { bearer: SERVICE_KEY, body: { confirm: 0 } };
  expect((await server.call('DELETE', '/v1/admin/clients/old', gone)).status).toBe(200);
  await server.stop();
  const found = async (clients: object): Promise<Pick<Finding, 'state' | 'sentence'>[]> =>
    (await examine(setting(clients)))
      .of('CURFEW_CLIENTS')
      .map(({ state, sentence }) => ({ state, sentence }));
  expect(await found({})).toEqual([]);
  expect(await found({ shop })).toEqual([{ state: 'ok', sentence: 'agrees with the database.' }]);
  expect(
    await found({
      shop: { name: 'Boutique', audience: 'https://shop.example', idleSeconds: 1800 },
      desk: {},
      cookie: { idleSeconds: 60 },
      old: {},
    }),
  ).toEqual([
    {
      state: 'warning',
      sentence:
        'differs from the database, which decides: shop (name, audience), cookie (idleSeconds). Change the applications with curfew clients update, or remove them from the setting.',
    },
    {
      state: 'warning',
      sentence: 'names deleted applications, which are not created again: old. Remove them from the setting.',
    },
    { state: 'ok', sentence: 'the server creates desk when it starts.' },
  ]);
});

test('accepts an API key for a server elsewhere, and names the scope that a key lacks', async () => {
  const server = await serve({
    CURFEW_DATA: freshData('data'),
    CURFEW_EMBEDDED_FSYNC: '0',
    CURFEW_SERVICE_KEYS: SERVICE_KEY,
  });
  const examined = async (...scopes: string[]): Promise<Finding[]> => {
    const { secret } = await newKey(server.call, { name: 'Doctor', scopes });
    const { json } = await run(['doctor', '--json', '--url', server.url], {
      CURFEW_SERVICE_KEY: secret,
    });
    return json.findings;
  };
  expect(await examined('admin')).toEqual([
    {
      state: 'ok',
      about: 'CURFEW_URL',
      sentence: `the server at ${server.url} answers and accepts the key.`,
    },
  ]);
  expect(await examined('verify', 'users')).toEqual([
    {
      state: 'problem',
      about: 'CURFEW_URL',
      sentence:
        'the API key in CURFEW_SERVICE_KEY lacks the scope admin. Set it to an API key with this scope.',
    },
  ]);
  await server.stop();
});

describe.skipIf(!hasPostgres())('PostgreSQL', () => {
  test('reports a database that is empty, migrated, or of a newer program', async () => {
    const DATABASE_URL = await freshDatabase();
    const empty = await examine({ DATABASE_URL });
    expect(empty.code).toBe(0);
    expect(empty.of('DATABASE_URL')[0]?.sentence).toMatch(/answers\. It is version \d\d\.\d+\.$/);
    expect(empty.of('schema')).toMatchObject([{ state: 'warning' }]);
    expect(empty.of('schema')[0]?.sentence).toContain('0001-first.sql');
    await withClient(DATABASE_URL, async (client) => {
      expect((await client.query(`select to_regclass('users') as there`)).rows).toEqual([{ there: null }]);
    });

    const full = await freshDatabase(migrated);
    const redis = inject('redisUrl');
    const good = await examine({ DATABASE_URL: full, ...(redis === undefined ? {} : { REDIS_URL: redis }) });
    expect(good.problems).toEqual([]);
    expect(good.of('clock')).toMatchObject([{ state: 'ok' }]);
    if (redis !== undefined) expect(good.of('REDIS_URL')).toMatchObject([{ state: 'ok' }]);

    await withClient(full, (client) =>
      client.query(
        `insert into schema_migrations (number, name, checksum) values (9999, '9999-later.sql', '')`,
      ),
    );
    const newer = await examine({ DATABASE_URL: full });
    expect(newer.problems).toMatchObject([{ about: 'schema' }]);
    expect(newer.problems[0]?.sentence).toContain('made by a newer Curfew');
  });

  test('reports a database that is read-only, in another encoding, or behind a pooler', async () => {
    const DATABASE_URL = await freshDatabase(migrated);
    const admin = inject('postgresUrl') ?? '';
    const name = new URL(DATABASE_URL).pathname.slice(1);
    await withClient(admin, (client) =>
      client.query(`alter database ${name} set default_transaction_read_only = on`),
    );
    const fenced = await examine({ DATABASE_URL });
    expect(fenced.code).toBe(1);
    expect(fenced.problems).toMatchObject([{ about: 'DATABASE_URL' }]);
    expect(fenced.problems[0]?.sentence).toContain('default_transaction_read_only is on');

    await withClient(admin, (client) =>
      client.query(`create database ${name}_latin1 encoding 'LATIN1' template template0 locale 'C'`),
    );
    const latin = await examine({ DATABASE_URL: databaseUrl(admin, `${name}_latin1`) });
    expect(latin.problems[0]?.sentence).toMatch(/has the encoding LATIN1.*CREATE DATABASE curfew/);

    const url = await freshDatabase(migrated);
    const pooled = { DATABASE_URL: url, CURFEW_STATEMENT_NAMES: '0' };
    const direct = async (more: Environment): Promise<Finding[]> =>
      (await examine({ ...pooled, ...more })).of('CURFEW_DATABASE_DIRECT_URL');
    expect(await direct({})).toMatchObject([{ state: 'warning' }]);
    expect(await direct({ CURFEW_DATABASE_DIRECT_URL: url })).toMatchObject([{ state: 'ok' }]);
    expect(await direct({ CURFEW_DATABASE_DIRECT_URL: admin })).toMatchObject([{ state: 'problem' }]);
  });

  test('reports keys in the clear, sealed, and sealed under another key', async () => {
    const DATABASE_URL = await freshDatabase(migrated);
    const [CURFEW_KEY, other] = [
      'l2zJt1m9R3sTqjJmY5e2wqQb6f3l0m1oXx1bS8yWc2s=',
      '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c',
    ];
    expect((await run(['keys', 'list'], { DATABASE_URL })).code).toBe(0);
    const clear = await examine({ DATABASE_URL });
    expect(clear.of('CURFEW_KEY')).toMatchObject([{ state: 'warning' }]);
    const late = await examine({ DATABASE_URL, CURFEW_KEY });
    expect(late.of('signing keys')).toMatchObject([{ state: 'warning' }]);
    await withClient(DATABASE_URL, (client) => client.query('delete from signing_keys'));
    expect((await run(['keys', 'list'], { DATABASE_URL, CURFEW_KEY })).code).toBe(0);
    expect((await examine({ DATABASE_URL, CURFEW_KEY })).of('signing keys')).toMatchObject([
      { state: 'ok', sentence: 'CURFEW_KEY decrypts 1 key.' },
    ]);
    const changing = await examine({ DATABASE_URL, CURFEW_KEY: other, CURFEW_KEY_PREVIOUS: CURFEW_KEY });
    expect([changing.problems, changing.of('CURFEW_KEY_PREVIOUS')]).toMatchObject([
      [],
      [{ state: 'warning' }],
    ]);
    const prepared = await examine({ DATABASE_URL, CURFEW_KEY, CURFEW_KEY_PREVIOUS: other });
    expect([prepared.problems, prepared.of('CURFEW_KEY_PREVIOUS')]).toEqual([[], []]);
    expect((await examine({ DATABASE_URL, CURFEW_KEY: other })).problems).toMatchObject([
      { about: 'CURFEW_KEY' },
    ]);
    expect((await examine({ DATABASE_URL })).problems).toMatchObject([{ about: 'CURFEW_KEY' }]);
  });
});

test('reports a taken port, and a server elsewhere that does not answer', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const found = await examine({
    CURFEW_DATA: makeScratch('data'),
    PORT: String((other.address() as AddressInfo).port),
    CURFEW_URL: 'http://127.0.0.1:1',
    CURFEW_SERVICE_KEY: SERVICE_KEY,
  });
  other.close();
  expect(found.problems).toMatchObject([{ about: 'CURFEW_URL' }, { about: 'PORT' }]);
  expect(found.problems[1]?.sentence).toContain('another program uses');
});

test('reports the version of PostgreSQL', () => {
  expect([140_012, 150_000, 180_004, 190_000].map((number) => judgeVersion(number).state)).toEqual([
    'problem',
    'ok',
    'ok',
    'warning',
  ]);
});

test('reports a clock that is off', () => {
  const states = [
    [0, null],
    [-1999, 5000],
    [2001, 5000],
    [-61_000, null],
    [0, -61_000],
  ].map(([off = 0, since = null]) => judgeClock(off ?? 0, since).state);
  expect(states).toEqual(['ok', 'ok', 'warning', 'problem', 'problem']);
  expect(judgeClock(61_000, null).sentence).toContain('61 s behind');
});
