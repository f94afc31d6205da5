/** The commands for API keys, on the database itself and through a server; and the keys that commands themselves use. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { freshData } from '../services/embedded-data.ts';
import { type AnyJson, migrated, recordingLog, reopenAuthority, SERVICE_KEY } from '../support.ts';
import { type Outcome, run, serve, type ServerProcess } from './processes.ts';

const WAYS = [
  { way: 'on PostgreSQL itself', direct: true },
  { way: 'through the server with the embedded database', direct: false },
].filter(({ direct }) => !direct || hasPostgres());

describe.each(WAYS)('API keys $way', ({ direct }) => {
  let server: ServerProcess;
  let place: Environment;
  const cf = (...args: string[]): Promise<Outcome> => run(['api-keys', ...args], place);
  const status = async (bearer: string, path = '/v1/admin/users?external_id=nobody'): Promise<number> =>
    (await server.call('GET', path, { bearer })).status;

  beforeAll(async () => {
    place = direct
      ? { DATABASE_URL: await freshDatabase(migrated) }
      : { CURFEW_DATA: freshData('data'), CURFEW_EMBEDDED_FSYNC: '0' };
    server = await serve({ ...place, CURFEW_DEMO_ACCOUNTS: '1' });
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });

  test('the first key of an installation is made by the command, and makes all others', async () => {
    const made = await cf('create', 'Ada’s laptop', '--scopes', 'admin');
    expect(made).toMatchObject({ code: 0, err: '' });
    const [, id, bearer = ''] =
      /^Created key (\d+) \(Ada’s laptop\)\.\nKey: (curfew_ok_\S{38})\n$/.exec(made.out) ?? [];
    expect(await status(bearer)).toBe(200);
    const reach = { CURFEW_URL: server.url, CURFEW_SERVICE_KEY: bearer };
    const shop = await run(
      [
        'api-keys',
        'create',
        'Shop',
        '--client',
        'token',
        '--scopes',
        'users, verify',
        '--days',
        '7',
        '--json',
      ],
      reach,
    );
    expect(shop).toMatchObject({ code: 0, err: '' });
    expect(shop.json).toMatchObject({
      key: { name: 'Shop', client_id: 'token', scopes: ['verify', 'users'], created_by: `key:${id}` },
      confirmed: true,
    });
    const { created_at, expires_at } = shop.json.key;
    expect(Math.round((Date.parse(expires_at) - Date.parse(created_at)) / 3_600_000)).toBe(7 * 24);
    expect(shop.json.secret).toMatch(/^curfew_ck_/);
    expect([await status(shop.json.secret), await status(shop.json.secret, '/v1/admin/state')]).toEqual([
      200, 403,
    ]);
  });

  test('api-keys rotate makes a second key, and api-keys revoke ends the first', async () => {
    const old = (await cf('create', 'Shop', '--client', 'token', '--scopes', 'users,sessions:end', '--json'))
      .json;
    const rotated = await cf('rotate', String(old.key.id), '--json');
    expect(rotated.code).toBe(0);
    expect(rotated.err).toContain(`curfew api-keys revoke ${old.key.id}`);
    const { id: _id, created_at: _at, ...same } = old.key;
    expect(rotated.json.key).toMatchObject(same);
    expect([await status(old.secret), await status(rotated.json.secret)]).toEqual([200, 200]);
    const revoked = await cf('revoke', String(old.key.id), '--note', 'rotated');
    expect(revoked.out).toMatch(new RegExp(`^Revoked key ${old.key.id} \\(Shop\\): true everywhere after`));
    expect([await status(old.secret), await status(rotated.json.secret)]).toEqual([401, 200]);
    expect(await cf('rotate', String(old.key.id))).toMatchObject({ code: 3, out: '' });
    const ids = async (...args: string[]): Promise<number[]> =>
      (await cf('list', '--json', ...args)).json.keys.map(({ id }: AnyJson) => id);
    expect(await ids()).not.toContain(old.key.id);
    expect(await ids('--revoked')).toContain(old.key.id);
    const table = await cf('list', '--limit', '1');
    expect(table.out).toMatch(
      /^KEY +NAME +APPLICATION +SCOPES +LAST USED +EXPIRES\n\d+ +Shop +token +sessions:end users/,
    );
    expect(table.err).toBe(`There are more: --before ${rotated.json.key.id}\n`);
    expect(table.out + rotated.err).not.toContain(rotated.json.secret);
  });

  test('what is wrong or missing is refused', async () => {
    const refused = async (...args: string[]) => [(await cf(...args)).code, (await cf(...args)).err];
    expect(await refused('create', 'x')).toEqual([2, expect.stringContaining('--scopes takes verify')]);
    expect(await refused('create', 'x', '--scopes', 'verify,root')).toEqual([2, expect.any(String)]);
    expect(await refused('create', ' ', '--scopes', 'verify')).toEqual([
      3,
      'curfew: name: must not be empty.\n',
    ]);
    expect(await refused('create', 'x', '--scopes', 'admin', '--client', 'token')).toEqual([
      3,
      'curfew: scopes: "admin" is for operators’ keys, which have no client_id.\n',
    ]);
    expect(await refused('create', 'x', '--scopes', 'verify', '--client', 'nobody')).toEqual([
      3,
      'curfew: client_id: is not the name of an application.\n',
    ]);
    expect(await refused('revoke', '999')).toEqual([3, 'curfew: no such key: 999.\n']);
    expect(await refused('revoke', 'x')).toEqual([2, expect.stringContaining('x is not the id of a key')]);
  });

  test('api-keys revoke-all ends the keys from before an instant, and no newer one', async () => {
    const create = async (name: string, scopes: string): Promise<AnyJson> =>
      (await cf('create', name, '--scopes', scopes, '--json')).json;
    const [admin, old] = [await create('Old operator', 'admin'), await create('Old', 'users')];
    const young = await create('Young', 'users');
    const before = young.key.created_at;
    const revokeAll = (...args: string[]): Promise<Outcome> => cf('revoke-all', '--created-before', ...args);
    expect(await cf('revoke-all')).toMatchObject({ code: 2, out: '' });
    for (const wrong of ['yesterday', '2026-02-30', '2026-07-01T12:00:00', '2026'])
      expect(await revokeAll(wrong)).toMatchObject({
        code: 2,
        err: expect.stringContaining('a date or an instant'),
      });
    expect((await revokeAll('2026-07-01', '--json')).json).toEqual({ keys: [] });
    // All administrators' keys are older.
    expect(await revokeAll(before)).toMatchObject({
      code: 3,
      err: expect.stringContaining('--last-admin-key'),
    });
    expect([await status(admin.secret), await status(old.secret)]).toEqual([200, 200]);
    const done = await revokeAll(before, '--last-admin-key', '--note', 'restored');
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(/^Revoked \d+ keys: true everywhere\.\n/);
    for (const { key } of [admin, old]) expect(done.out).toContain(`key ${key.id} (${key.name})\n`);
    expect([await status(admin.secret), await status(old.secret), await status(young.secret)]).toEqual([
      401, 401, 200,
    ]);
    const { keys } = (await cf('list', '--json')).json;
    expect(keys.map(({ id }: AnyJson) => id)).toEqual([young.key.id]);
    await create('Another operator', 'admin');
  });

  test('the last key with the scope admin asks for a second thought', async () => {
    const { keys } = (await cf('list', '--json')).json;
    const [last, ...others] = keys.filter(({ scopes }: AnyJson) => scopes.includes('admin'));
    for (const { id } of others) expect((await cf('revoke', String(id))).code).toBe(0);
    const refused = await cf('revoke', String(last.id));
    expect([refused.code, refused.err]).toEqual([3, expect.stringContaining('--last-admin-key')]);
    expect((await cf('revoke', String(last.id), '--last-admin-key')).code).toBe(0);
  });
});

test('CURFEW_SERVICE_KEYS goes on working, with a warning that says how to replace it', async () => {
  const starts = async (settings: Environment) => {
    const { log, lines } = recordingLog();
    const on = await reopenAuthority(
      { CURFEW_DATA: freshData('warned'), CURFEW_SERVICE_KEYS: '', ...settings },
      { log },
    );
    const { status } = await on.call('GET', '/v1/admin/state', { bearer: SERVICE_KEY });
    await on.close();
    return { status, warned: lines.filter((line) => line.includes('curfew api-keys create')).length };
  };
  expect(await starts({ CURFEW_SERVICE_KEYS: SERVICE_KEY })).toEqual({ status: 200, warned: 1 });
  expect(await starts({})).toEqual({ status: 401, warned: 0 });
});
