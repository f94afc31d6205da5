/** A whole run through the endpoints, in which secrets are given out, and sent in where they belong and where they do not. */
import { expect } from 'vitest';
import { withClient } from '../services/postgres.ts';
import { type Answer, type Caller, cookieOf, SERVICE_KEY } from '../support.ts';

export const PASSWORDS = [
  'correct horse battery staple 1',
  'correct horse battery staple 2',
  'tr0ub4dor-and-three',
  'guess-that-was-wrong',
] as const;
const [first, second, third, wrong] = PASSWORDS;
const who = { email: 'ada@example.com', password: first };
const service = { bearer: SERVICE_KEY };

/** @param url the database, which fails in the middle  @param pass lets a minute pass */
export async function wholeRun(call: Caller, url: string, pass: () => void): Promise<void> {
  const id = await createAda(call);
  const given = await logInEverywhere(call);
  await failToLogIn(call);
  await presentEverywhere(call, id, given);
  await refreshAndReplay(call, given, pass);
  await administer(call, id, given);
  await failInTheMiddle(call, url, id, given);
  await logOutEverywhere(call, id, given);
  await putInPaths(call, given);
}

async function createAda(call: Caller): Promise<number> {
  const made = await call('POST', '/v1/admin/users', {
    ...service,
    body: { email: 'ada@example.com', name: 'Ada', password: first },
  });
  await call('POST', '/v1/admin/users', {
    ...service,
    body: { email: 'ada@example.com', password: first },
  });
  await call('POST', '/v1/admin/users', { ...service, body: { email: 'no address', password: first } });
  return made.json.user.id;
}

/** In every family. */
async function logInEverywhere(call: Caller) {
  const v1 = (await call('POST', '/v1/login', { body: { ...who, device: { id: 'laptop', name: 'Laptop' } } }))
    .json;
  const rs = (await call('POST', '/v1/login', { body: { ...who, client_id: 'rs' } })).json;
  const es = (await call('POST', '/v1/login', { body: { ...who, client_id: 'es' } })).json;
  const envelope = (await call('POST', '/auth/login', { body: who })).json.data;
  const cookieAnswer = await call('POST', '/auth/login', { body: { ...who, transport: 'cookie' } });
  const cookie = cookieOf(cookieAnswer as Answer);
  const csrf = cookieAnswer.json.data.csrf_token;
  const v1Cookie = await call('POST', '/v1/login', { body: { ...who, transport: 'cookie' } });
  const sess = (await call('POST', '/api/auth/login', { body: { username: who.email, password: first } }))
    .json.data;
  const token = (await call('POST', '/api/v1/auth/login', { body: who })).json;
  return { v1, rs, es, envelope, cookie, csrf, v1Cookie, sess, token };
}

type Given = Awaited<ReturnType<typeof logInEverywhere>>;

/** Logins that go wrong, and are malformed, in every family. */
async function failToLogIn(call: Caller): Promise<void> {
  const address = { address: '203.0.113.5' };
  for (const path of ['/v1/login', '/auth/login', '/api/auth/login', '/api/v1/auth/login']) {
    await call('POST', path, { body: { ...who, username: who.email, password: wrong }, ...address });
    await call('POST', path, { body: { email: first, username: first, password: first } });
    await call('POST', path, { body: { email: 7, username: 7, password: wrong } });
    await call('POST', path, { body: `{"password":"${first}"` });
    await call('POST', path, {
      body: { ...who, client_id: first, transport: first, device: { id: `${first}!` } },
    });
    await call('POST', path, { body: JSON.stringify(who), headers: { 'content-type': 'text/plain' } });
    await call('POST', path, { body: { ...who, more: first.repeat(5000) } });
  }
  await call('POST', '/auth/login', { body: { ...who, username: who.email, password: wrong }, ...address });
  await call('POST', '/auth/login', {
    body: { ...who, transport: 'cookie' },
    headers: { origin: 'https://evil.test' },
  });
}

/** Every credential at every door that asks for one, also where it does not belong. */
async function presentEverywhere(call: Caller, id: number, given: Given): Promise<void> {
  const bearers = [
    given.v1.access_token,
    given.rs.access_token,
    given.es.access_token,
    given.envelope.access_token,
    given.sess.sessionToken,
    given.token.access_token,
    given.v1.refresh_token,
    given.cookie,
    SERVICE_KEY,
    first,
  ];
  for (const bearer of bearers) {
    for (const path of [
      '/v1/session',
      '/v1/sessions',
      '/v1/check',
      '/auth/profile',
      '/auth/workspace',
      '/api/v1/auth/status',
      `/api/users/${id}`,
      '/api/users/1',
      '/v1/admin/users',
      '/v1/admin/keys',
      '/v1/feed',
      '/v1/notices',
    ])
      await call('GET', path, { bearer });
    await call('GET', `/v1/session?token=${encodeURIComponent(bearer)}`, { cookie: given.cookie });
    await call('GET', `/api/users/${id}?sessionId=${encodeURIComponent(bearer)}`);
    await call('POST', `/api/auth/logout?userId=1&sessionId=${encodeURIComponent(bearer)}`);
    await call('POST', `/api/auth/logout?sessionId=${encodeURIComponent(bearer)}`);
    await call('POST', '/v1/refresh', { body: { refresh_token: `${bearer}x` } });
    await call('POST', '/auth/refresh', { body: { refresh_token: [bearer] } });
    await call('POST', '/api/v1/auth/refresh', { body: { refresh_token: `${bearer}x` } });
  }
  for (const value of [given.cookie, given.v1.access_token]) {
    await call('GET', '/v1/session', { cookie: value });
    await call('GET', '/auth/profile', {
      headers: { cookie: `curfew_session=${value}; curfew_session=${value}` },
    });
    await call('POST', '/auth/logout', { cookie: value, headers: { 'x-csrf-token': first } });
    await call('POST', '/auth/logout?scope=nothing', { cookie: value, csrf: given.csrf });
  }
}

/** Refresh, again within the grace, and replay after it. */
async function refreshAndReplay(call: Caller, given: Given, pass: () => void): Promise<void> {
  for (const [path, refresh] of [
    ['/v1/refresh', given.rs.refresh_token],
    ['/auth/refresh', given.envelope.refresh_token],
    ['/api/v1/auth/refresh', given.token.refresh_token],
  ] as const) {
    await call('POST', path, { body: { refresh_token: refresh } });
    const again = await call('POST', path, { body: { refresh_token: refresh } });
    expect(again.status).toBe(200);
  }
  pass();
  expect(
    (await call('POST', '/v1/refresh', { body: { refresh_token: given.rs.refresh_token } })).status,
  ).toBe(401);
}

async function administer(call: Caller, id: number, given: Given): Promise<void> {
  for (const path of [
    '/v1/admin/users?query=ada',
    `/v1/admin/users/${id}`,
    '/v1/admin/users/99',
    '/v1/admin/sessions?ended=true',
    '/v1/admin/events',
    '/v1/admin/events?format=csv',
    '/v1/admin/events?format=jsonl',
    '/v1/admin/state',
    '/v1/admin/clients',
    '/v1/admin/keys',
  ])
    await call('GET', path, service);
  for (const transport of ['bearer', 'opaque', 'cookie'])
    await call('POST', '/v1/admin/sessions', { ...service, body: { user_id: id, transport } });
  await call('POST', '/v1/admin/sessions', { ...service, body: { user_id: id, count: 3 } });
  await call('POST', '/v1/admin/sessions', { ...service, body: { user_id: 4711 } });
  await call('POST', '/v1/password', {
    bearer: given.v1.access_token,
    body: { current_password: wrong, new_password: second },
  });
  await call('POST', '/v1/password', {
    bearer: given.v1.access_token,
    body: { current_password: first, new_password: 'short' },
  });
  const renewed = await call('POST', '/v1/password', {
    bearer: given.v1.access_token,
    body: { current_password: first, new_password: second },
  });
  expect(renewed.status).toBe(200);
  await call('PATCH', `/v1/admin/users/${id}`, { ...service, body: { role: 'admin' } });
  await call('PATCH', `/v1/admin/users/${id}`, { ...service, body: { role: first } });
  await call('POST', `/v1/admin/users/${id}/password`, { ...service, body: { password: third } });
  expect((await call('POST', `/v1/admin/users/${id}/password`, service)).json.password).toHaveLength(20);
  await call('POST', '/v1/admin/keys/rotate', service);
}

/** Requests of every kind while a table is missing. */
async function failInTheMiddle(call: Caller, url: string, id: number, given: Given): Promise<void> {
  for (const table of ['events', 'users', 'user_sessions', 'login_limits', 'tokens']) {
    const { bearer } = await fresh(call, id);
    const opaque = (
      await call('POST', '/v1/admin/sessions', { ...service, body: { user_id: id, transport: 'opaque' } })
    ).json;
    const withCookie = (
      await call('POST', '/v1/admin/sessions', { ...service, body: { user_id: id, transport: 'cookie' } })
    ).json;
    await withClient(url, (client) => client.query(`alter table ${table} rename to away`));
    await call('POST', '/v1/login', { body: { ...who, password: third } });
    await call('POST', '/auth/login', { body: { ...who, password: third } });
    await call('POST', '/v1/logout', { bearer });
    await call('POST', '/auth/logout', { bearer });
    await call('POST', '/auth/logout', { cookie: withCookie.cookie.value, csrf: withCookie.csrf_token });
    await call('POST', '/api/v1/auth/logout', { bearer });
    await call('POST', `/api/auth/logout?userId=${id}&sessionId=${opaque.session_token}`);
    await call('POST', '/v1/refresh', { body: { refresh_token: given.es.refresh_token } });
    await call('GET', `/api/users/${id}`, { bearer: opaque.session_token });
    await call('POST', '/v1/check', { bearer: opaque.session_token });
    for (const text of [bearer, opaque.session_token, withCookie.cookie.value])
      for (const path of ['/oauth/introspect', '/oauth/revoke'])
        await call('POST', path, {
          ...service,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({ token: text }).toString(),
        });
    await withClient(url, (client) => client.query(`alter table away rename to ${table}`));
  }
}

/** Logouts of every kind. */
async function logOutEverywhere(call: Caller, id: number, given: Given): Promise<void> {
  const one = await fresh(call, id);
  const other = (await fresh(call, id)).bearer;
  await call('PATCH', `/v1/sessions/${one.sid}`, { bearer: other, body: { name: 'Phone' } });
  await call('PATCH', `/v1/sessions/${id}`, { bearer: other, body: { name: third } });
  for (const password of [third, wrong, third.repeat(1000)])
    await call('POST', '/v1/session/confirm', { bearer: other, body: { password } });
  await call('DELETE', `/v1/sessions/${one.sid}`, { bearer: other });
  for (const scope of ['others', 'device', 'this', 'all'])
    await call('POST', '/v1/logout', { bearer: (await fresh(call, id)).bearer, body: { scope } });
  await call('POST', '/auth/logout', { bearer: (await fresh(call, id)).bearer });
  await call('POST', '/api/v1/auth/logout', { bearer: (await fresh(call, id)).bearer });
  await call('POST', `/api/auth/logout?userId=${id}&sessionId=${given.sess.sessionToken}`);
  await call('POST', '/auth/logout', {
    cookie: cookieOf(given.v1Cookie as Answer),
    csrf: given.v1Cookie.json.csrf_token,
  });
  for (const body of [
    { scope: 'user', user_id: id },
    { scope: 'everyone' },
    { scope: 'everyone', confirm: 0 },
    { scope: first },
  ])
    await call('POST', '/v1/admin/logout', { ...service, body });
  await call('DELETE', `/v1/admin/users/${id}`, service);
}

/** A careless client's mistake. */
async function putInPaths(call: Caller, given: Given): Promise<void> {
  for (const secret of [
    given.sess.sessionToken,
    given.v1.access_token,
    given.v1.refresh_token,
    given.cookie,
    given.token.access_token,
  ])
    for (const path of [`/api/users/${secret}`, `/v1/sessions/${secret}`, `/${secret}`])
      await call('GET', path.replace('|', '%7C'));
}

/** A session of a user, opened by the service. */
async function fresh(call: Caller, id: number): Promise<{ bearer: string; sid: string }> {
  const { json } = await call('POST', '/v1/admin/sessions', { ...service, body: { user_id: id } });
  return { bearer: json.access_token, sid: json.session.id };
}
