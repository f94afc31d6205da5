/** `curfew backup`, `restore` and `move` as an operator runs them. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshData } from '../services/embedded-data.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { makeFileScratch } from '../services/scratch.ts';
import { SERVICE_KEY } from '../support.ts';
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
    expect(out).toContain('API keys that were revoked since then are valid again.');
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
