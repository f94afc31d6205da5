/** Every row of the contract answers as it should, on each database. The other tests of routes have one of the two. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../races/node.ts';
import {
  backends,
  type Caller,
  type CallOptions,
  cookieOf,
  NEW_PASSWORD,
  openAuthority,
  PASSWORD,
  SERVICE_KEY,
} from '../support.ts';
import type { Family } from '../../src/http/contract/family.ts';
import { described, ROWS, rowOf } from './described.ts';
import { followLog } from './following-log.ts';
import { type FeedNode, follow, logIn, startNode } from './following.ts';
import { ADMIN, alive, newUser, opened, USER, v1Login } from './logins.ts';
import { listen } from './notices-door.ts';

const service = { bearer: SERVICE_KEY };

/** A login of the user through one family: how it asks for itself, and how it logs out. */
interface Login {
  path: string;
  credential: CallOptions;
  out: [path: string, options: CallOptions];
}

describe.each(backends())('on the %s database', (backend) => {
  let node: FeedNode;
  let call: Caller;
  /** The rows that have answered well. */
  const answered = new Set<string>();
  const answers = (method: string, path: string, options: CallOptions = {}): void => {
    answered.add(rowOf(method, path, options)?.name ?? '');
  };
  beforeAll(async () => {
    // A lease that a busy machine does not overstay. A node that is closed waits for the one of its verifiers.
    const settings = { CURFEW_CLIENTS: '{"shop":{}}', CURFEW_LEASE_MS: '3000' };
    node = await startNode(await openAuthority(backend, settings), { forTheFile: true });
    const asked = described(node.on.call);
    call = async (method, path, options) => {
      const answer = await asked(method, path, options);
      if (answer.status < 300) answers(method, path, options);
      return answer;
    };
  });
  afterAll(() => node.close());

  const ok = async (method: string, path: string, options: CallOptions = {}) => {
    const { status, json, text } = await call(method, path, options);
    expect([method, path, status, status < 300 ? '' : text]).toEqual([method, path, 200, '']);
    return json;
  };

  const FAMILIES: Record<string, () => Promise<Login>> = {
    v1: async () => {
      const { access_token: bearer } = await ok('POST', '/v1/login', {
        body: { email: USER, password: PASSWORD },
      });
      return { path: '/v1/check', credential: { bearer }, out: ['/v1/logout', { bearer }] };
    },
    '001': async () => {
      const { data } = await ok('POST', '/auth/login', { body: { email: USER, password: PASSWORD } });
      const next = await ok('POST', '/auth/refresh', { body: { refresh_token: data.refresh_token } });
      const bearer = next.data.access_token;
      await ok('GET', '/auth/workspace', { bearer });
      return { path: '/auth/profile', credential: { bearer }, out: ['/auth/logout', { bearer }] };
    },
    '002': async () => {
      const { data } = await ok('POST', '/api/auth/login', { body: { username: USER, password: PASSWORD } });
      const bearer = data.sessionToken;
      return {
        path: '/api/users/2',
        credential: { bearer },
        out: [`/api/auth/logout?userId=2&sessionId=${bearer}`, {}],
      };
    },
    '003': async () => {
      const first = await ok('POST', '/api/v1/auth/login', { body: { email: USER, password: PASSWORD } });
      const { access_token: bearer } = await ok('POST', '/api/v1/auth/refresh', {
        body: { refresh_token: first.refresh_token },
      });
      return {
        path: '/api/v1/auth/status',
        credential: { bearer },
        out: ['/api/v1/auth/logout', { bearer }],
      };
    },
    '004': async () => {
      const answer = await call('POST', '/auth/login', {
        body: { email: USER, password: PASSWORD, transport: 'cookie' },
      });
      const cookie = cookieOf(answer);
      return {
        path: '/auth/profile',
        credential: { cookie },
        out: ['/auth/logout', { cookie, csrf: answer.json.data.csrf_token }],
      };
    },
  };
  const everyFamily = async (): Promise<Login[]> => {
    const logins: Login[] = [];
    for (const logIn of Object.values(FAMILIES)) logins.push(await logIn());
    return logins;
  };
  const statuses = (logins: Login[]): Promise<number[]> =>
    Promise.all(logins.map(async ({ path, credential }) => (await call('GET', path, credential)).status));

  const OUT_OF_ALL: [string, (login: Login) => [string, CallOptions]][] = [
    ['v1', ({ credential }) => ['/v1/logout', { ...credential, body: { scope: 'all' } }]],
    ['001', ({ out }) => out],
    ['003', ({ out }) => out],
    ['004', ({ out: [path, options] }) => [`${path}?scope=all`, options]],
  ];
  test.each(OUT_OF_ALL)('a logout of all through %s ends the sessions of every family', async (name, out) => {
    const logins = await everyFamily();
    expect(await statuses(logins)).toEqual([200, 200, 200, 200, 200]);
    const [path, options] = out(await (FAMILIES[name] as () => Promise<Login>)());
    await ok('POST', path, options);
    expect(await statuses(logins)).toEqual([401, 401, 401, 401, 401]);
  });

  test.each(['v1', '002', '004'])(
    'a logout of one session through %s leaves the others alive',
    async (name) => {
      const { id: stranger } = await newUser(call);
      const others = [await opened(call, 2), await opened(call, stranger)];
      const login = await (FAMILIES[name] as () => Promise<Login>)();
      await ok('POST', ...login.out);
      expect(await statuses([login])).toEqual([401]);
      expect(await alive(call, others)).toEqual([true, true]);
    },
  );

  test('a session is refreshed, listed, named, confirmed, introspected, and ended in every scope', async () => {
    const { id, email } = await newUser(call);
    const first = await v1Login(call, email, { device: { id: 'laptop' } });
    const next = await ok('POST', '/v1/refresh', { body: { refresh_token: first.refresh } });
    const me = { bearer: next.access_token as string };
    expect((await ok('GET', '/v1/session', me)).session).toMatchObject({ id: first.sid, user_id: id });
    const open = async (more: object): Promise<string> => (await opened(call, id, more)).sid;
    const [phone, tablet, shop] = [
      await open({ device: { id: 'phone' } }),
      await open({ device: { id: 'tablet' } }),
      await open({ device: { id: 'laptop' }, client_id: 'shop' }),
    ];
    await ok('PATCH', `/v1/sessions/${phone}`, { ...me, body: { name: 'Phone' } });
    const mine = async (): Promise<string[]> =>
      (await ok('GET', '/v1/sessions', me)).sessions.map((one: { id: string }) => one.id);
    expect(await mine()).toEqual([shop, tablet, phone, first.sid]);

    await ok('DELETE', `/v1/sessions/${phone}`, me);
    expect(await mine()).toEqual([shop, tablet, first.sid]);
    const logOut = (body: object) => ok('POST', '/v1/logout', { ...me, body });
    expect(await logOut({ scope: 'selected', sessions: [tablet] })).toMatchObject({ ended: 1 });
    expect(await mine()).toEqual([shop, first.sid]);
    expect(await logOut({ scope: 'others' })).toMatchObject({ ended: 1, confirmed: true });
    expect(await mine()).toEqual([first.sid]);

    const renewed = await ok('POST', '/v1/session/confirm', { ...me, body: { password: NEW_PASSWORD } });
    expect((await call('GET', '/v1/session', me)).status).toBe(401);
    me.bearer = renewed.access_token;
    const changed = await ok('POST', '/v1/password', {
      ...me,
      body: { current_password: NEW_PASSWORD, new_password: 'quite another password' },
    });
    me.bearer = changed.access_token;
    const introspect = () =>
      ok('POST', '/oauth/introspect', {
        ...service,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `token=${me.bearer}`,
      });
    expect(await introspect()).toMatchObject({ active: true, sub: String(id) });
    expect(await logOut({ scope: 'device' })).toMatchObject({ ended: 1, confirmed: true });
    expect(await introspect()).toEqual({ active: false });
    const held = await opened(call, id);
    const revoked = await call('POST', '/oauth/revoke', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `token=${held.refresh}&client_id=default`,
    });
    expect([revoked.status, await alive(call, [held])]).toEqual([200, [false]]);
    const { status, json } = await call('GET', '/v1/session', me);
    expect([status, json.ended]).toMatchObject([401, { reason: 'logout', by: 'self' }]);
  });

  test('the administration has users, sessions, every scope of a logout, keys, and the log', async () => {
    const admin = { bearer: (await v1Login(call, ADMIN)).bearer };
    const [ada, bob] = [await newUser(call), await newUser(call)];
    const found = await ok('GET', `/v1/admin/users?query=${ada.email}`, admin);
    expect(found.users.map((one: { id: number }) => one.id)).toEqual([ada.id]);
    await ok('PATCH', `/v1/admin/users/${ada.id}`, { ...admin, body: { name: 'Ada' } });
    expect((await ok('GET', `/v1/admin/users/${ada.id}`, admin)).user).toMatchObject({ name: 'Ada' });
    await ok('POST', `/v1/admin/users/${ada.id}/password`, { ...admin, body: { password: NEW_PASSWORD } });
    await v1Login(call, ada.email);

    const logOut = (body: object) => ok('POST', '/v1/admin/logout', { ...admin, body });
    const open = (who: { id: number }) =>
      opened(call, who.id, { client_id: 'shop', device: { id: 'phone' } });
    const scopes: [object, ended: number][] = [
      [{ scope: 'user', user_id: ada.id }, 2],
      [{ scope: 'users', user_ids: [ada.id, bob.id] }, 2],
      [{ scope: 'device', user_id: ada.id, device_id: 'phone' }, 1],
      [{ scope: 'client', client_id: 'shop' }, 2],
    ];
    for (const [body, ended] of scopes) {
      await open(ada);
      if (ended === 2) await open(bob);
      expect([body, await logOut(body)]).toMatchObject([body, { confirmed: true }]);
      const left = await ok('GET', '/v1/admin/sessions?client_id=shop', admin);
      expect([body, left.sessions.map((one: { user_id: number }) => one.user_id)]).toEqual([
        body,
        'user_id' in body && body.user_id === ada.id && ended === 2 ? [bob.id] : [],
      ]);
    }
    const one = await open(bob);
    expect(await logOut({ scope: 'sessions', sessions: [one.sid] })).toMatchObject({ ended: 1 });
    expect((await call('DELETE', `/v1/admin/users/${bob.id}`, admin)).status).toBe(204);
    await ok('GET', '/v1/admin/clients', admin);
    await ok('GET', '/v1/admin/keys', admin);
    await ok('POST', '/v1/admin/keys/rotate', service);
    expect((await call('GET', '/v1/session', admin)).status).toBe(200);

    const log = await ok('GET', `/v1/admin/events?user_id=${ada.id}&type=sessions_ended`, admin);
    expect(log.events.map(({ scope }: { scope: string }) => scope)).toEqual([
      'client',
      'device',
      'users',
      'user',
      'user',
    ]);
    const lines = (await call('GET', `/v1/admin/events?user_id=${ada.id}&format=jsonl`, admin)).text;
    expect(lines.trim().split('\n').length).toBeGreaterThan(log.events.length);

    const { json: counted } = await call('POST', '/v1/admin/logout', {
      ...admin,
      body: { scope: 'everyone' },
    });
    expect(await logOut({ scope: 'everyone', confirm: counted.count })).toMatchObject({
      ended: counted.count,
    });
    expect((await call('GET', '/v1/session', admin)).status).toBe(401);
  });

  test('a logout reaches a verifier, a device, and the live log at once', async () => {
    const { bearer, sid, seen } = await logIn(node.on);
    const { subscriber } = follow(node.url);
    await until('the verifier follows', async () => subscriber.isFresh());
    answers('GET', '/v1/feed');
    const device = await listen(node.url.replace('ws:', 'http:').replace('/v1/feed', ''), { bearer });
    answers('GET', '/v1/notices');
    const log = await followLog(node.on.authority);
    await until('the verifier knows it alive', async () => subscriber.judge(seen) === 'alive');
    expect(await ok('POST', '/v1/logout', { bearer })).toMatchObject({ confirmed: true, acknowledged: 1 });
    expect(subscriber.judge(seen)).toBe('ended');
    expect(await device.hears('session.ended')).toMatchObject({ reason: 'logout', by: 'self' });
    await until('the log says it', async () =>
      log.events.some((event) => 'session_ids' in event && String(event.session_ids) === sid),
    );
    await log.close();
  });

  test('an application is created, shown, changed and deleted', async () => {
    const body = { client_id: 'fair', audience: 'https://fair.example' };
    expect((await call('POST', '/v1/admin/clients', { ...service, body })).json).toMatchObject({
      client: body,
    });
    expect(await ok('GET', '/v1/admin/clients/fair', service)).toMatchObject({ client: body });
    const change = { ...service, body: { disabled: true } };
    expect((await ok('PATCH', '/v1/admin/clients/fair', change)).client.disabled_at).not.toBeNull();
    expect(await ok('DELETE', '/v1/admin/clients/fair', service)).toMatchObject({ confirmed: true });
    expect((await call('GET', '/v1/admin/clients/fair', service)).status).toBe(404);
  });

  test('the system’s state names the database', async () => {
    const state = await ok('GET', '/v1/admin/state', service);
    expect(state.node).toMatchObject({ fresh: true, sole: backend === 'embedded' });
    expect(state.nodes).toHaveLength(1);
    expect(state.database).toMatchObject({
      kind: backend === 'embedded' ? 'embedded' : 'postgresql',
      answers: true,
    });
    const codes = state.degraded.map(({ code }: { code: string }) => code);
    expect(codes).toContain(backend === 'embedded' ? 'embedded_without_fsync' : 'keys_in_clear');
  });

  async function loggedInThrough(trial: Family['trial']): Promise<CallOptions> {
    const { path, body } = trial.logIn({ email: USER, password: PASSWORD });
    const answer = await call('POST', path, { body });
    const { text: bearer = '', csrf = '' } = trial.credential(answer.json);
    return trial.via === 'cookie' ? { cookie: cookieOf(answer), csrf } : { bearer };
  }

  test('every row of the contract was used', async () => {
    for (const path of ['/healthz', '/readyz', '/.well-known/jwks.json', '/openapi.json', '/docs'])
      expect([path, (await call('GET', path)).status]).toEqual([path, 200]);
    await call('GET', '/metrics', service);
    const left = ROWS.filter(({ name }) => !answered.has(name));
    // Rows that no test calls by name are called with their own example, as each kind of caller, the family's own login last.
    const admin = { bearer: (await v1Login(call, ADMIN)).bearer };
    for (const { method, path, request, family } of left)
      for (const credential of [service, admin, {}, await loggedInThrough(family.trial)]) {
        const body = request?.body?.content['application/json']?.example;
        await call(method.toUpperCase(), path.replace('{id}', '2'), {
          ...credential,
          ...(body ? { body } : {}),
        });
      }
    expect(left.map(({ name }) => name).filter((name) => !answered.has(name))).toEqual([]);
  });
});
