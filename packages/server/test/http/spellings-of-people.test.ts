/** Composed and decomposed characters: one password, one address, and accounts of before that go on working. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findSpelledApart } from '../../src/store/users.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { run } from '../cli/processes.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import {
  type Caller,
  cheap,
  migrated,
  NEW_PASSWORD,
  openAuthority,
  recordingLog,
  reopenAuthority,
  routeBackend,
  SERVICE_KEY,
  silent,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { newUser } from './logins.ts';

const NFC = 'zażółć gęślą jaźń'.normalize('NFC');
const NFD = NFC.normalize('NFD');
const LOGINS: [path: string, field: 'email' | 'username'][] = [
  ['/v1/login', 'email'],
  ['/auth/login', 'email'],
  ['/api/auth/login', 'username'],
  ['/api/v1/auth/login', 'email'],
];

describe('one spelling', () => {
  let on: TestAuthority;
  let call: Caller;
  /** The hashed and compared texts, in order. */
  let work: string[] = [];
  beforeAll(async () => {
    const passwords = {
      ...cheap,
      hash: (password: string) => (work.push(`hash ${password}`), cheap.hash(password)),
      verify: (hash: string | null, password: string) => (
        work.push(`verify ${password}`), cheap.verify(hash, password)
      ),
    };
    on = await openAuthority(
      routeBackend(),
      { CURFEW_LOGIN_FAILURES_ADDRESS: '1000000', CURFEW_LOGIN_FAILURES_PAIR: '1000000' },
      { system: { passwords } },
    );
    call = described(on.call);
  });
  afterAll(() => on.close());

  const login = async (email: string, password: string): Promise<number> =>
    (await call('POST', '/v1/login', { body: { email, password } })).status;

  test.each([
    [NFC, NFD],
    [NFD, NFC],
    ['a\u00a0space of\u2003every kind', 'a space of every kind'],
  ])('a password set as %j is accepted as %j', async (set, typed) => {
    const { id, email } = await newUser(call, { password: set });
    expect([await login(email, typed), await login(email, set)]).toEqual([200, 200]);
    const { json } = await call('POST', '/v1/login', { body: { email, password: typed } });
    const body = { current_password: typed, new_password: `${set} once more` };
    expect((await call('POST', '/v1/password', { bearer: json.access_token, body })).status).toBe(200);
    expect(await login(email, `${typed} once more`)).toBe(200);
    const reset = { bearer: SERVICE_KEY, body: { password: `${set} reset` } };
    expect((await call('POST', `/v1/admin/users/${id}/password`, reset)).status).toBe(200);
    const again = await call('POST', '/v1/login', { body: { email, password: `${typed} reset` } });
    const confirm = { bearer: again.json.access_token, body: { password: `${set} reset` } };
    expect((await call('POST', '/v1/session/confirm', confirm)).status).toBe(200);
  });

  test('an attempt costs the same for an unknown account: two hashes at most, and one where the spellings agree', async () => {
    const { email } = await newUser(call);
    for (const who of [email, 'nobody@nowhere.example']) {
      work = [];
      expect(await login(who, NFD)).toBe(401);
      expect(work).toEqual([`verify ${NFC}`, `verify ${NFD}`]);
      work = [];
      expect(await login(who, 'wrong')).toBe(401);
      expect(work).toEqual(['verify wrong']);
    }
    work = [];
    const { email: right } = await newUser(call, { password: NFC });
    expect(await login(right, NFD)).toBe(200);
    expect(work).toEqual([`hash ${NFC}`, `verify ${NFC}`, `verify ${NFD}`]);
  });

  test('spaces around the address are ignored, around the password they count', async () => {
    const { email } = await newUser(call);
    for (const [path, field] of LOGINS) {
      const at = (address: string, password: string) =>
        call('POST', path, { body: { [field]: address, password } });
      for (const padded of [`${email} `, ` ${email}`, `\t${email}\n`, `\u00a0${email}`])
        expect([path, (await at(padded, NEW_PASSWORD)).status]).toEqual([path, 200]);
      expect((await at(email, `${NEW_PASSWORD} `)).status).toBe(401);
    }
    const page = await on.authority.fetch(
      new Request('http://localhost:8000/login', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'http://localhost:8000' },
        body: new URLSearchParams({ email: ` ${email} `, password: NEW_PASSWORD }),
      }),
    );
    expect(page.status).toBe(303);
  });

  test('all spellings of an address are one account', async () => {
    const email = 'josé@exämple.com'.normalize('NFD');
    const make = (address: string) =>
      call('POST', '/v1/admin/users', {
        bearer: SERVICE_KEY,
        body: { email: address, password: NEW_PASSWORD },
      });
    const made = await make(email);
    expect([made.status, made.json.user.email]).toEqual([201, email.normalize('NFC')]);
    expect((await make(email.normalize('NFC'))).status).toBe(409);
    for (const spelling of [email, email.normalize('NFC'), `JOS${email.slice(3)}`])
      expect(await login(spelling, NEW_PASSWORD)).toBe(200);
  });

  test.each([
    ['zero width space', 'a\u200b@example.com'],
    ['zero width joiner', 'a\u200d@example.com'],
    ['soft hyphen', 'a\u00ad@example.com'],
    ['direction override', 'a\u202eb@example.com'],
    ['isolate', 'a\u2066b@example.com'],
    ['control', 'a\u0007b@example.com'],
    ['C1 control', 'a\u0085b@example.com'],
    ['Hangul filler', 'a\u3164@example.com'],
    ['variation selector', 'a\ufe0f@example.com'],
    ['tag', 'a\u{e0061}@example.com'],
    ['noncharacter', 'a\ufdd0@example.com'],
    ['what stands for an unreadable one', 'a\ufffd@example.com'],
  ])('a new address with a %s is refused', async (_name, email) => {
    const { status, json } = await call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body: { email } });
    expect([status, json.field]).toEqual([400, 'email']);
  });
});

describe.runIf(hasPostgres())('what was stored before', () => {
  /** A database as the version before left it: without the migration. */
  async function before(): Promise<string> {
    const url = await freshDatabase(migrated);
    await withClient(url, async (client) => {
      await client.query(`delete from schema_migrations where number = 8`);
      for (const [email, password] of [
        ['josé@example.com'.normalize('NFC'), 'cheap of the composed one'],
        ['josé@example.com'.normalize('NFD'), 'cheap of the other one'],
        ['łucję@example.com'.normalize('NFD'), `cheap ${NFD}`],
      ])
        await client.query('insert into users (email, password_hash, created_at) values ($1, $2, now())', [
          email,
          password,
        ]);
    });
    return url;
  }

  test('is reported by migrate and doctor', async () => {
    const environment = { DATABASE_URL: await before() };
    const migrating = await run(['migrate', '--json'], environment);
    expect([migrating.code, migrating.json.applied]).toEqual([0, ['0008-one-spelling.sql']]);
    expect(migrating.err).toContain('1 user (2) have the address of another user');
    const { json } = await run(['doctor', '--json'], { PORT: '0', ...environment });
    const findings = json.findings as { state: string; about: string; sentence: string }[];
    expect(findings.filter(({ about }) => about === 'addresses')).toEqual([
      { state: 'warning', about: 'addresses', sentence: expect.stringMatching(/^1 user \(2\) /) },
    ]);
  });

  test('still works, and is reported where two collide', async () => {
    const url = await before();
    const { log, text } = recordingLog();
    const on = await reopenAuthority(
      { DATABASE_URL: url, CURFEW_DEMO_ACCOUNTS: '0', CURFEW_PASSWORD_MIN_LENGTH: '8' },
      { log },
    );
    expect(text()).toContain('"user_ids":[2]');
    expect(text()).toContain('new passwords may have only 8 characters');
    try {
      const login = async (email: string, password: string): Promise<number | undefined> =>
        (await on.call('POST', '/v1/login', { body: { email, password } })).json.user?.id;
      const [nfc, nfd] = ['josé@example.com'.normalize('NFC'), 'josé@example.com'.normalize('NFD')];
      expect(await login(nfc, 'of the composed one')).toBe(1);
      expect(await login(nfd, 'of the other one')).toBe(2);
      expect(await login(nfd, 'of the composed one')).toBeUndefined();
      // The third one was alone, and has the composed spelling now.
      for (const form of ['NFC', 'NFD'])
        expect(await login('łucję@example.com'.normalize(form), NFD)).toBe(3);
      await withClient(url, async (client) => {
        const { rows } = await client.query('select id, password_hash from users order by id');
        // The hash of its decomposed password was replaced, the others were not.
        expect(rows.map((row) => row.password_hash)).toEqual([
          'cheap of the composed one',
          'cheap of the other one',
          `cheap ${NFC}`,
        ]);
      });
      expect(await login('łucję@example.com', NFC)).toBe(3);
      const database = openPostgres({ url, pool: 1, statementNames: true, log: silent });
      expect(await findSpelledApart(database)).toEqual([2]);
      await database.close();
    } finally {
      await on.close();
    }
  });
});
