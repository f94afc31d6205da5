import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Environment } from '../../src/config.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { freshData } from '../services/embedded-data.ts';
import { migrated, PASSWORD, SERVICE_KEY } from '../support.ts';
import { type Outcome, run, serve, type ServerProcess } from './processes.ts';

/*
 * Every command, both ways: on PostgreSQL itself, beside a server that is another node, and through the server that has
 * the embedded database. The same expectations for both.
 */
const WAYS = [
  { way: 'on PostgreSQL itself', direct: true },
  { way: 'through the server with the embedded database', direct: false },
].filter(({ direct }) => !direct || hasPostgres());

describe.each(WAYS)('$way', ({ direct }) => {
  let server: ServerProcess;
  let place: Environment;
  const cf = (args: string[], input = ''): Promise<Outcome> => run(args, place, input);

  beforeAll(async () => {
    place = direct
      ? { DATABASE_URL: await freshDatabase(migrated) }
      : { CURFEW_DATA: freshData('data'), CURFEW_EMBEDDED_FSYNC: '0' };
    server = await serve({ ...place, CURFEW_SERVICE_KEYS: SERVICE_KEY, CURFEW_DEMO_ACCOUNTS: '1' });
  });
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });

  const logIn = async (email: string, password = PASSWORD, device = 'laptop-1'): Promise<string> => {
    const answer = await server.call('POST', '/v1/login', {
      body: { email, password, device: { id: device } },
    });
    expect(answer.status).toBe(200);
    return answer.json.access_token as string;
  };
  const isAlive = async (token: string): Promise<boolean> =>
    (await server.call('GET', '/v1/check', { bearer: token })).status === 200;
  const newest = async (): Promise<{ actor: string; reason: string; type: string }> =>
    (await server.call('GET', '/v1/admin/events?limit=1', { bearer: SERVICE_KEY })).json.events[0];
  const actor = direct ? 'operator' : 'service';

  test('user add creates a user, and logs the actor', async () => {
    const added = await cf(
      ['user', 'add', 'ada@example.com', '--name', 'Ada', '--json'],
      'correct horse\nnot this line\n',
    );
    expect(added).toMatchObject({ code: 0, err: '' });
    expect(added.json.user).toMatchObject({ id: 3, email: 'ada@example.com', name: 'Ada', role: 'user' });
    expect(added.out).not.toContain('correct horse');
    expect(await newest()).toMatchObject({ type: 'user_created', actor });
    await logIn('ada@example.com', 'correct horse');
  });

  test('clients create, show, update, list and delete an application', async () => {
    const terms = ['--name', 'The fair', '--audience', 'https://fair.example', '--idle-seconds', '60'];
    const created = await cf(['clients', 'create', 'fair', ...terms, '--json']);
    expect(created).toMatchObject({ code: 0, err: '' });
    expect(created.json).toMatchObject({
      client: { client_id: 'fair', audience: 'https://fair.example', idle_seconds: 60, built_in: false },
      confirmed: true,
    });
    expect(await newest()).toMatchObject({ type: 'client_created', actor });
    expect(await cf(['clients', 'create', 'fair'])).toMatchObject({
      code: 3,
      err: 'curfew: the application fair already exists, or existed.\n',
    });
    // The server knows it at once.
    const device = { email: 'test@example.com', password: PASSWORD, client_id: 'fair' };
    const started = await server.call('POST', '/v1/login', { body: device });
    expect(started.status).toBe(200);
    const token = started.json.access_token as string;

    const shown = await cf(['clients', 'show', 'fair']);
    expect(shown.out).toMatch(/Idle lifetime +60 s\nAbsolute lifetime +default\n/);
    expect((await cf(['clients', 'show', 'nobody'])).code).toBe(3);
    const reset = ['--idle-seconds', 'default', '--grant-types', 'password', '--external-issuers', 'crm, hr'];
    expect((await cf(['clients', 'update', 'fair', ...reset, '--json'])).json.client).toMatchObject({
      idle_seconds: null,
      grant_types: ['password'],
      external_issuers: ['crm', 'hr'],
    });
    const nobody = await cf(['clients', 'update', 'fair', '--external-issuers', '', '--json']);
    expect(nobody.json.client.external_issuers).toEqual([]);
    const ids = (await cf(['clients', 'list', '--json'])).json.clients.map(
      ({ client_id }: { client_id: string }) => client_id,
    );
    expect(ids).toEqual(['cookie', 'default', 'envelope', 'fair', 'session-id', 'token']);

    for (const [args, text] of [
      [['--idle-seconds', '9999999'], 'idle_seconds: the idle lifetime of "fair"'],
      [['--algorithm', 'none'], 'algorithm: '],
      [['--grant-types', 'implicit'], 'grant_types'],
      [['--external-issuers', 'a b'], 'external_issuers'],
    ] as const) {
      const refused = await cf(['clients', 'update', 'fair', ...args]);
      expect([refused.code, refused.out]).toEqual([3, '']);
      expect(refused.err).toContain(text);
    }
    for (const args of [[], ['--idle-seconds', 'x'], ['--disable', '--enable']])
      expect((await cf(['clients', 'update', 'fair', ...args])).code).toBe(2);

    const asked = await cf(['clients', 'update', 'fair', '--disable']);
    expect(asked).toMatchObject({ code: 3, out: '1 session would end.\n' });
    expect(await isAlive(token)).toBe(true);
    const disabled = await cf(['clients', 'update', 'fair', '--disable', '--confirm', '1']);
    expect(disabled).toMatchObject({ code: 0, out: 'Changed fair. Ended 1 session.\n' });
    expect(await isAlive(token)).toBe(false);
    const moved = await cf(['clients', 'update', 'fair', '--audience', 'https://new-fair.example']);
    expect(moved.out).toMatch(
      /^Changed fair\.\nVerifiers .* Change the audience of those that name it themselves/,
    );
    expect((await cf(['clients', 'delete', 'fair', '--yes'])).out).toBe('Deleted fair.\n');
    expect((await cf(['clients', 'delete', 'fair', '--yes'])).err).toBe(
      'curfew: no such application: fair.\n',
    );
    expect((await cf(['clients', 'delete', 'token', '--yes'])).err).toBe(
      'curfew: id: "token" is built in and cannot be deleted.\n',
    );
  });

  test('user list and sessions list find by the id of another system', async () => {
    const user = { external_id: 'u-1', issuer: 'crm', email: 'crm@example.com' };
    const { json } = await server.call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body: { user } });
    const of = ['--external-id', 'u-1', '--issuer', 'crm', '--json'];
    expect((await cf(['user', 'list', ...of])).json.users).toMatchObject([
      { email: user.email, external_id: 'u-1', issuer: 'crm' },
    ]);
    const { sessions } = (await cf(['sessions', 'list', ...of])).json;
    expect(sessions.map(({ id }: { id: string }) => id)).toEqual([json.session.id]);
    expect((await cf(['user', 'list', '--external-id', 'u-1', '--json'])).json.users).toEqual([]);
    expect((await cf(['sessions', 'list', '--external-id', 'u-1'])).code).toBe(3);
    for (const args of [
      ['--issuer', 'crm'],
      ['--external-id', 'a b'],
      ['--external-id', 'x', '--user', '1'],
    ])
      expect((await cf(['sessions', 'list', ...args])).code).toBe(2);
    await server.call('DELETE', `/v1/admin/users/${json.session.user_id}`, { bearer: SERVICE_KEY });
  });

  test('user add refuses a taken address and a short password', async () => {
    const taken = await cf(['user', 'add', 'ADA@example.com'], 'correct horse\n');
    expect(taken).toMatchObject({ code: 3, out: '' });
    expect(taken.err).toBe('curfew: the user ADA@example.com already exists.\n');
    const short = await cf(['user', 'add', 'new@example.com'], 'short\n');
    expect(short).toMatchObject({
      code: 3,
      out: '',
      err: 'curfew: the password must have at least 12 characters.\n',
    });
  });

  test('user add --generate shows the password once, and user password sets another', async () => {
    const added = await cf(['user', 'add', 'bob@example.com', '--generate']);
    expect(added.code).toBe(0);
    const made = /^Password: (\S{20})$/m.exec(added.out)?.[1] ?? '';
    const token = await logIn('bob@example.com', made);
    const set = await cf(['user', 'password', 'bob@example.com'], 'another password\n');
    expect(set).toMatchObject({ code: 0, err: '' });
    expect(set.out).not.toContain('another password');
    expect(await isAlive(token)).toBe(false);
    expect(await newest()).toMatchObject({ reason: 'password_reset', actor });
    await logIn('bob@example.com', 'another password');
    expect((await cf(['user', 'password', '4711', '--generate'])).code).toBe(3);
  });

  test('user list finds users by part of name or address', async () => {
    const found = await cf(['user', 'list', '--query', 'ada@', '--json']);
    expect(found.json).toMatchObject({ users: [{ id: 3, email: 'ada@example.com' }], next: null });
    const page = await cf(['user', 'list', '--limit', '1']);
    expect(page.code).toBe(0);
    expect(page.out).toMatch(/^ID +E-MAIL +NAME +ROLE +WORKSPACE +STATE\n1 +admin@example\.com .*enabled\n$/);
    expect(page.err).toBe('There are more: --after 1\n');
  });

  test('the last administrator keeps the role unless --last-administrator is given', async () => {
    for (const args of [
      ['user', 'role', '1', 'user'],
      ['user', 'disable', '1'],
      ['user', 'delete', '1', '--yes'],
    ])
      expect(await cf(args)).toMatchObject({
        code: 3,
        out: '',
        err: 'curfew: nothing was changed: this is the last administrator. To continue, repeat with --last-administrator.\n',
      });
    expect((await cf(['user', 'disable', '1', '--last-administrator'])).code).toBe(0);
    expect((await cf(['user', 'enable', '1'])).code).toBe(0);
  });

  test('user role, disable and enable end sessions', async () => {
    let token = await logIn('test@example.com');
    const role = await cf(['user', 'role', '2', 'admin', '--json']);
    expect(role.json.user).toMatchObject({ id: 2, role: 'admin' });
    expect(await isAlive(token)).toBe(false);
    expect(await newest()).toMatchObject({ reason: 'role_changed', actor });

    token = await logIn('test@example.com');
    const disabled = await cf(['user', 'disable', 'Test@example.com']);
    expect(disabled).toMatchObject({ code: 0, out: 'Disabled user 2, test@example.com.\n', err: '' });
    expect(await isAlive(token)).toBe(false);
    expect((await cf(['user', 'list', '--query', 'test@'])).out).toContain('disabled since ');
    const refused = await server.call('POST', '/v1/login', {
      body: { email: 'test@example.com', password: PASSWORD },
    });
    expect(refused.status).toBe(401);
    expect((await cf(['user', 'enable', '2', '--json'])).json.user.disabled_at).toBeNull();
    await logIn('test@example.com');
    expect((await cf(['user', 'disable', 'nobody@example.com'])).code).toBe(3);
  });

  test('sessions list and end work on one user', async () => {
    const token = await logIn('ada@example.com', 'correct horse', 'phone');
    const listed = await cf(['sessions', 'list', '--user', 'ada@example.com', '--json']);
    expect(listed.code).toBe(0);
    const [session] = listed.json.sessions;
    expect(session).toMatchObject({ user_id: 3, active: true, ended: null, device: { id: 'phone' } });
    const shown = await cf(['sessions', 'list', '--user', '3', '--client', 'default']);
    expect(shown.out).toContain(session.id);
    expect((await cf(['sessions', 'list', '--client', 'other', '--json'])).json.sessions).toEqual([]);

    const ended = await cf(['sessions', 'end', session.id, '--json']);
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.json).toMatchObject({
      ended: 1,
      confirmed: true,
      waited_out: 0,
      acknowledged: direct ? 1 : 0,
    });
    expect(await isAlive(token)).toBe(false);
    expect(await newest()).toMatchObject({ reason: 'admin_logout', actor });
    expect((await cf(['sessions', 'end', session.id])).code).toBe(3);
    const history = await cf(['sessions', 'list', '--user', '3', '--ended']);
    expect(history.out).toContain(`admin_logout by ${actor}`);
  });

  test('logout ends the sessions of a user, a device, a list of users, an application', async () => {
    const ada = await logIn('ada@example.com', 'correct horse', 'phone');
    const tablet = await logIn('ada@example.com', 'correct horse', 'tablet');
    const test1 = await logIn('test@example.com');
    const device = await cf(['logout', '--user', 'ada@example.com', '--device', 'phone']);
    expect(device.code).toBe(0);
    expect(device.out).toMatch(/^Ended 1 session\. Logged out everywhere in [\d.]+ ms\./);
    expect([await isAlive(ada), await isAlive(tablet)]).toEqual([false, true]);

    const user = await cf(['logout', '--user', '3', '--no-wait', '--json']);
    expect(user.json).toMatchObject({ confirmed: false });
    if (!direct) expect(await isAlive(tablet)).toBe(false);
    expect(await isAlive(test1)).toBe(true);

    const again = await logIn('ada@example.com', 'correct horse');
    const slip = await cf(['logout', '--users', 'ada@example.com,nobody@example.com']);
    expect(slip).toMatchObject({ code: 3, err: 'curfew: no such user: nobody@example.com.\n' });
    expect(await isAlive(again)).toBe(true);
    const users = await cf(['logout', '--users', '-', '--json'], 'ada@example.com\n2\n');
    expect(users.json).toMatchObject({ confirmed: true });
    expect([await isAlive(again), await isAlive(test1)]).toEqual([false, false]);

    const admin = await logIn('admin@example.com');
    expect((await cf(['logout', '--client', 'other', '--json'])).json.ended).toBe(0);
    const old = await cf(['logout', '--app', 'other', '--json']);
    expect(old).toMatchObject({
      json: { ended: 0 },
      err: '--app is the old name of --client. Use --client.\n',
    });
    const both = await cf(['logout', '--app', 'other', '--client', 'other']);
    expect(both).toMatchObject({
      code: 2,
      err: 'curfew: --app is the old name of --client: specify only one of them.\n',
    });
    expect(await isAlive(admin)).toBe(true);
    expect((await cf(['logout', '--client', 'default'])).code).toBe(0);
    expect(await isAlive(admin)).toBe(false);
  });

  test('logout of many reports how many rows are still to be marked', async () => {
    await server.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: 2, client_id: 'default', count: 250 },
    });
    const ended = await cf(['logout', '--client', 'default', '--json']);
    expect(ended.json.ended).toBeGreaterThanOrEqual(250);
    expect(ended.json).toMatchObject({ more: true, confirmed: true });
    expect(ended.err).toMatch(
      direct ? /Updating rows: (\d+) of \1\n$/ : /^The server updates their rows in the background\.\n$/,
    );
  });

  test('logout and sessions end with --dry-run end nothing, and --note goes into the log', async () => {
    const token = await logIn('test@example.com');
    const { json } = await cf(['logout', '--user', '2', '--dry-run', '--json']);
    expect(json).toMatchObject({ dry_run: true, count: 1, sample: [{ user_id: 2 }] });
    const sid: string = json.sample[0].id;
    for (const args of [
      ['logout', '--everyone', '--dry-run'],
      ['logout', '--client', 'default', '--dry-run'],
      ['sessions', 'end', sid.toUpperCase(), '--dry-run'],
    ])
      expect((await cf(args)).out).toMatch(
        new RegExp(`^Dry run: \\d+ sessions? would end\\.\\n(.*\\n)*?${sid}`),
      );
    expect(await isAlive(token)).toBe(true);
    expect(await cf(['logout', '--user', '2', '--note', 'x'.repeat(501)])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--note: must have at most 500 characters.'),
    });
    expect((await cf(['sessions', 'end', sid.toUpperCase(), '--note', 'lost \u202e phone'])).code).toBe(0);
    expect(await isAlive(token)).toBe(false);
    expect(await newest()).toMatchObject({ details: { note: 'lost  phone' } });
  });

  test.each([
    ['everyone', ['--everyone']],
    ['a tenant', ['--tenant', 'default']],
  ])('logout of %s counts first', async (_name, whom) => {
    const tokens = [await logIn('admin@example.com'), await logIn('test@example.com')];
    const { code, json, err } = await cf(['logout', ...whom, '--json']);
    expect({ code, json }).toEqual({
      code: 3,
      json: { outcome: 'confirmation_required', count: json.count },
    });
    expect(json.count).toBeGreaterThanOrEqual(2);
    expect(err).toContain(`--confirm ${json.count}`);
    const off = await cf(['logout', ...whom, '--confirm', String(json.count + 1)]);
    expect(off).toMatchObject({ code: 3, out: `${json.count} sessions would end.\n` });
    for (const token of tokens) expect(await isAlive(token)).toBe(true);

    const ended = await cf(['logout', ...whom, '--confirm', String(json.count), '--json']);
    expect(ended).toMatchObject({ code: 0, json: { ended: json.count, confirmed: true } });
    for (const token of tokens) expect(await isAlive(token)).toBe(false);

    const later = await logIn('admin@example.com');
    expect((await cf(['logout', ...whom, '--yes'])).code).toBe(0);
    expect(await isAlive(later)).toBe(false);
  });

  test('logout ends a login, and the sessions of a user with an application', async () => {
    const token = await logIn('test@example.com');
    const { json } = await cf(['logout', '--user', '2', '--dry-run', '--json']);
    expect((await cf(['logout', '--user', '2', '--client', 'other', '--json'])).json.ended).toBe(0);
    expect(await isAlive(token)).toBe(true);
    expect((await cf(['logout', '--user', '2', '--client', 'default'])).code).toBe(0);
    expect(await isAlive(token)).toBe(false);
    const again = await logIn('test@example.com');
    const sid: string = (await cf(['logout', '--user', '2', '--dry-run', '--json'])).json.sample[0].id;
    expect(sid).not.toBe(json.sample[0].id);
    expect((await cf(['logout', '--login', sid.toUpperCase(), '--json'])).json.ended).toBe(1);
    expect(await isAlive(again)).toBe(false);
    for (const args of [
      ['--login', crypto.randomUUID()],
      ['--tenant', 'nobody', '--yes'],
    ])
      expect((await cf(['logout', ...args])).code).toBe(3);
    for (const args of [
      ['--login', 'x'],
      ['--tenant', 'A B'],
      ['--user', '2', '--login', sid],
      ['--client', 'x', '--yes'],
    ])
      expect((await cf(['logout', ...args])).code).toBe(2);
  });

  test('keys list and rotate work', async () => {
    const before = (await cf(['keys', 'list', '--json'])).json.keys;
    expect(before).toMatchObject([{ alg: 'EdDSA', state: 'signing' }]);
    const token = await logIn('admin@example.com');
    const rotated = await cf(['keys', 'rotate']);
    expect(rotated.code).toBe(0);
    expect(rotated.out).toContain('published');
    expect((await cf(['keys', 'list', '--json'])).json.keys).toMatchObject([
      before[0],
      { state: 'published' },
    ]);
    expect(await isAlive(token)).toBe(true);
    expect(await newest()).toMatchObject({ type: 'keys_rotated', actor });
  });

  test('user delete asks for confirmation', async () => {
    const token = await logIn('ada@example.com', 'correct horse');
    const asked = await cf(['user', 'delete', 'ada@example.com']);
    expect(asked).toMatchObject({ code: 3, out: '' });
    expect(await isAlive(token)).toBe(true);
    const deleted = await cf(['user', 'delete', 'ada@example.com', '--yes', '--json']);
    expect(deleted).toMatchObject({ code: 0, json: { deleted: { id: 3 } } });
    expect(await isAlive(token)).toBe(false);
    expect((await cf(['user', 'delete', '3', '--yes'])).code).toBe(3);
  });
});
