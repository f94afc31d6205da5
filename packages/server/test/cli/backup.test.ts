/** `curfew backup`, `restore` and `move` as an operator runs them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshData } from '../services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { makeFileScratch } from '../services/scratch.ts';
import { type AnyJson, SERVICE_KEY } from '../support.ts';
import { run, serve } from './processes.ts';

const KEYS = { CURFEW_SERVICE_KEYS: SERVICE_KEY, CURFEW_EMBEDDED_FSYNC: '0' };

test.runIf(hasPostgres())(
  'a running server can be backed up, restored elsewhere, and moved',
  async () => {
    const data = freshData('data');
    const scratch = makeFileScratch('backups');
    const server = await serve({ CURFEW_DATA: data, ...KEYS });
    const added = await run(['user', 'add', 'ada@example.com', '--generate', '--json'], {
      CURFEW_DATA: data,
    });
    const { json } = await server.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: added.json.user.id },
    });
    const isAlive = async (at: { call: typeof server.call }): Promise<boolean> =>
      (await at.call('GET', '/v1/check', { bearer: json.access_token })).status === 200;
    expect(await isAlive(server)).toBe(true);

    const target = join(scratch, 'monday');
    const made = await run(['backup', target], { CURFEW_DATA: data });
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).toMatch(/^Backed up 3 users, 1 session and \d+ events to .*monday\.\n$/);
    expect((await run(['backup', target], { CURFEW_DATA: data })).err).toBe(
      `curfew: ${target} exists already.\n`,
    );
    expect(await isAlive(server)).toBe(true);
    expect(await server.stop()).toBe(0);

    const restored = join(scratch, 'data');
    const put = await run(['restore', target, '--json'], { CURFEW_DATA: restored });
    expect(put.json).toMatchObject({ directory: restored, has_key: true, counts: { users: 3, sessions: 1 } });
    const { out } = await run(['restore', target], { CURFEW_DATA: join(scratch, 'again') });
    expect(out).toContain('Sessions that were logged out since then are alive again.');
    expect(out).not.toContain('API key');
    const again = await serve({ CURFEW_DATA: restored, ...KEYS });
    expect(await isAlive(again)).toBe(true);
    expect(await again.stop()).toBe(0);

    const url = await freshDatabase();
    expect((await run(['backup', target], { DATABASE_URL: url })).code).toBe(3);
    expect((await run(['move'], { CURFEW_DATA: restored })).code).toBe(2);
    expect((await run(['move', '--to', url], { DATABASE_URL: url })).code).toBe(3);
    const moved = await run(['move', '--to', url], { CURFEW_DATA: restored });
    expect(moved.code).toBe(0);
    expect(moved.out).toMatch(/user_sessions +1\n/);
    const refused = await run(['serve'], { CURFEW_DATA: restored });
    expect(refused).toMatchObject({
      code: 1,
      err: expect.stringContaining(`was moved to postgres://${new URL(url).host}/`),
    });
  },
  180_000,
);

test('API keys that were revoked since the backup come back only if the operator says so', async () => {
  const data = freshData('data');
  const scratch = makeFileScratch('backups');
  const at = (directory: string) => ({ CURFEW_DATA: directory, CURFEW_EMBEDDED_FSYNC: '0' });
  expect((await run(['migrate'], at(data))).code).toBe(0);
  const create = async (...args: string[]): Promise<AnyJson> =>
    (await run(['api-keys', 'create', ...args, '--json'], at(data))).json;
  const leaked = await create('Leaked', '--scopes', 'verify,users');
  const shop = await create('Shop\u0007', '--scopes', 'admin');
  const target = join(scratch, 'monday');
  expect((await run(['backup', target], at(data))).code).toBe(0);
  expect((await run(['api-keys', 'revoke', String(leaked.key.id)], at(data))).code).toBe(0);

  const undecided = join(scratch, 'undecided');
  const refused = await run(['restore', target], at(undecided));
  expect(refused).toMatchObject({ code: 3, out: '' });
  expect(refused.err).toMatch(/^KEY .*\n(.*\n){2}curfew: nothing was restored: /);
  expect(refused.err).toMatch(
    new RegExp(`\n${leaked.key.id} +Leaked +\\(operator\\) +${leaked.key.created_at} +never\n`),
  );
  for (const option of ['--revoke-api-keys', '--keep-api-keys']) expect(refused.err).toContain(option);
  expect(existsSync(join(undecided, 'database'))).toBe(false);
  const both = await run(['restore', target, '--keep-api-keys', '--revoke-api-keys'], at(undecided));
  expect(both.code).toBe(2);

  const revoking = await run(['restore', target, '--revoke-api-keys'], at(undecided));
  expect(revoking).toMatchObject({ code: 0, err: '' });
  expect(revoking.out).toMatch(/Revoked these API keys\..*\nKEY .*\n\d+ +Shop.*\n\d+ +Leaked .*\n$/);
  const server = await serve({ ...at(undecided), ...KEYS });
  const call = (bearer: string) => server.call('GET', '/v1/admin/users?external_id=nobody', { bearer });
  for (const { secret } of [leaked, shop]) expect((await call(secret)).status).toBe(401);
  const log = await server.call('GET', '/v1/admin/events?type=api_key_revoked', { bearer: SERVICE_KEY });
  expect(log.json.events.map(({ actor, details }: AnyJson) => [actor, details.note])).toEqual([
    ['operator', 'revoked by curfew restore'],
    ['operator', 'revoked by curfew restore'],
  ]);
  expect(await server.stop()).toBe(0);

  const kept = join(scratch, 'kept');
  const keeping = await run(['restore', target, '--keep-api-keys', '--json'], at(kept));
  expect(keeping).toMatchObject({ code: 0, err: '' });
  expect(keeping.json.api_keys).toMatchObject([
    { id: shop.key.id, revoked_at: null },
    { id: leaked.key.id, revoked_at: null },
  ]);
  const { keys } = (await run(['api-keys', 'list', '--json'], at(kept))).json;
  expect(keys).toEqual(keeping.json.api_keys);
}, 180_000);
