/** `/v1`: a session's own life, and the administration. */
import { cookieOf, NEW_PASSWORD, SERVICE_KEY } from '../../support.ts';
import { cookieLogin, newUser, opened, v1Login } from '../logins.ts';
import type { Section } from './families.ts';

const UNKNOWN_SID = '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60';
const service = { bearer: SERVICE_KEY };

/** Strict bodies: the fault of each of these, by its name. */
const STRICT: [who: string, body: string, headers?: Record<string, string>][] = [
  ['no JSON', '{'],
  ['a list', '[]'],
  ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['an unknown member', '{"colour":"red"}'],
  ['a member twice', '{"note":"a","note":"b"}'],
  ['NUL', '{"note":"\\u0000"}'],
  ['too much', `{"note":"${'x'.repeat(70_000)}"}`],
];

const login: Section = async ({ ask, quietly }) => {
  const { email } = await newUser(quietly, { name: 'Vee One' });
  const right = { email, password: NEW_PASSWORD };
  for (const [who, body, headers = {}] of [...STRICT, ['nothing', ''] as const])
    await ask(who, 'POST', '/v1/login', { body, headers });
  for (const more of [
    { client_id: 'nobody' },
    { client_id: '-' },
    { transport: 'opaque' },
    { device: { id: 'with spaces' } },
    { device: { id: 'laptop', colour: 'red' } },
    { device: { name: 'x'.repeat(101) } },
    { email: 'nobody' },
    { email: undefined },
    { email: 'nobody@example.com' },
    { email: ` ${email.toUpperCase()} ` },
    { password: 'wrong' },
    { device: { id: 'laptop-1', name: 'La\u202eptop' }, client_id: 'shop' },
  ])
    await ask('with one difference', 'POST', '/v1/login', {
      body: { ...right, ...more },
      headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
    });
  await ask('with a parameter', 'POST', '/v1/login?x=1', { body: right });
  for (const origin of ['https://elsewhere.example', 'http://localhost:8000', 'https://trusted.example'])
    await ask(`with a cookie, from ${origin}`, 'POST', '/v1/login', {
      body: { ...right, transport: 'cookie' },
      headers: { origin },
    });
  for (const origin of ['https://elsewhere.example', 'https://trusted.example'])
    await ask(`asked beforehand by ${origin}`, 'OPTIONS', '/v1/login', {
      headers: { origin, 'access-control-request-method': 'POST' },
    });
};

const refresh: Section = async ({ ask, quietly }, pass) => {
  const { email } = await newUser(quietly);
  const [one, two] = [await v1Login(quietly, email), await v1Login(quietly, email, { client_id: 'shop' })];
  for (const [who, body, headers = {}] of [...STRICT, ['nothing', ''] as const])
    await ask(who, 'POST', '/v1/refresh', { body, headers });
  const again = (who: string, more: object = {}) =>
    ask(who, 'POST', '/v1/refresh', { body: { refresh_token: one.refresh, ...more } });
  const { json } = await again('the first token');
  await again('the first token again');
  await again('the first token again, by its application', { client_id: 'default' });
  pass(60);
  await again('the first token after the grace');
  await ask('its successor after that', 'POST', '/v1/refresh', {
    body: { refresh_token: json.refresh_token },
  });
  await ask('a dead access token, which says why', 'GET', '/v1/session', { bearer: one.bearer });
  await ask('by another application', 'POST', '/v1/refresh', {
    body: { refresh_token: two.refresh, client_id: 'default' },
  });
  await ask('after that', 'POST', '/v1/refresh', { body: { refresh_token: two.refresh, client_id: 'shop' } });
};

const ownSessions: Section = async ({ ask, quietly }) => {
  const { id, email } = await newUser(quietly, { name: 'Many Devices' });
  const me = await v1Login(quietly, email, { device: { id: 'laptop', name: 'Laptop' } });
  const [phone, tablet] = [
    await opened(quietly, id, { device: { id: 'phone' } }),
    await opened(quietly, id, { device: { id: 'laptop' }, client_id: 'shop' }),
  ];
  const stranger = await opened(quietly, 2);
  const own = { bearer: me.bearer };
  await ask('oneself', 'GET', '/v1/session', own);
  for (const query of ['', '?limit=1', `?limit=1&before=${tablet.sid}`, `?before=${UNKNOWN_SID}`])
    await ask('by pages', 'GET', `/v1/sessions${query}`, own);
  for (const query of [
    '?limit=0',
    '?limit=01',
    '?limit=201',
    '?before=x',
    '?x=1',
    '?limit=1&limit=2',
    '?limit=%FF',
  ])
    await ask('a wrong query', 'GET', `/v1/sessions${query}`, own);
  const name = (sid: string, body: unknown) =>
    ask('a name', 'PATCH', `/v1/sessions/${sid}`, { ...own, body });
  await name(phone.sid, { name: 'Ph\u0007one \u202e' });
  await name(phone.sid, { name: '' });
  await name(phone.sid.toUpperCase(), { name: 'Phone' });
  await name(stranger.sid, { name: 'Mine' });
  await name('x', { name: 'Mine' });
  for (const [who, body, headers = {}] of STRICT)
    await ask(who, 'PATCH', `/v1/sessions/${phone.sid}`, { ...own, body, headers });
  for (const sid of [stranger.sid, UNKNOWN_SID, 'x'])
    await ask('not mine', 'DELETE', `/v1/sessions/${sid}`, own);
  await ask('with a note', 'DELETE', `/v1/sessions/${phone.sid}`, { ...own, body: { note: 'lost' } });
  await ask('again', 'DELETE', `/v1/sessions/${phone.sid}`, own);
  await ask('ended by another device', 'GET', '/v1/session', { bearer: phone.bearer });
  const { cookie, csrf } = await cookieLogin(quietly, email);
  const { json } = await ask('by cookie', 'GET', '/v1/session', { cookie });
  await ask('oneself, by cookie', 'DELETE', `/v1/sessions/${json.session.id}`, { cookie, csrf });
  await ask('dead, by cookie', 'GET', '/v1/session', { cookie });
};

const logout: Section = async ({ ask, quietly }) => {
  const { id, email } = await newUser(quietly, { name: 'Log Out' });
  const me = () => v1Login(quietly, email, { device: { id: 'laptop' } });
  const other = () => opened(quietly, id, { device: { id: 'phone' } });
  const ask1 = (who: string, bearer: string, body?: unknown) =>
    ask(who, 'POST', '/v1/logout', { bearer, ...(body === undefined ? {} : { body }) });
  let own = await me();
  for (const [who, body, headers = {}] of STRICT)
    await ask(who, 'POST', '/v1/logout', { bearer: own.bearer, body, headers });
  const faults = [
    { scope: 'pigeon' },
    { scope: 'selected' },
    { scope: 'selected', sessions: [] },
    { wait: 'x' },
  ];
  for (const body of faults) await ask1('a wrong body', own.bearer, body);
  await ask1('a wrong sid', own.bearer, { scope: 'selected', sessions: ['x'] });
  for (const scope of ['this', 'others', 'all', 'device']) {
    await other();
    for (const body of [{ scope, dry_run: true }, { scope }]) await ask1('a scope', own.bearer, body);
    await ask('is it over', 'GET', '/v1/session', { bearer: own.bearer });
    own = await me();
  }
  const selected = [await other(), await other()].map(({ sid }) => sid);
  await ask1('some', own.bearer, { scope: 'selected', sessions: [...selected, UNKNOWN_SID], note: 'gone' });
  await ask1('some that are over', own.bearer, { scope: 'selected', sessions: selected });
  await ask1('a device', own.bearer, { scope: 'device', device: 'phone' });
  await ask1('without waiting', own.bearer, { scope: 'others', wait: 'none' });
  await ask1('without a body', own.bearer);
  await ask1('again', own.bearer);
  const { cookie, csrf } = await cookieLogin(quietly, email);
  await ask('by cookie, of the others', 'POST', '/v1/logout', { cookie, csrf, body: { scope: 'others' } });
  await ask('by cookie', 'POST', '/v1/logout', { cookie, csrf });
  await ask('by cookie, again', 'POST', '/v1/logout', { cookie, csrf });
};

const passwords: Section = async ({ ask, quietly }) => {
  const { email } = await newUser(quietly);
  const confirm = (bearer: string, body: unknown) =>
    ask('a body', 'POST', '/v1/session/confirm', { bearer, body });
  const first = await v1Login(quietly, email);
  for (const body of [{}, { password: '' }, { password: 'wrong' }]) await confirm(first.bearer, body);
  const renewed = (await confirm(first.bearer, { password: NEW_PASSWORD })).json;
  await ask('the one before', 'GET', '/v1/session', { bearer: first.bearer });
  const change = (bearer: string, current_password: string, new_password: string) =>
    ask('a body', 'POST', '/v1/password', { bearer, body: { current_password, new_password } });
  const bearer = renewed.access_token;
  await change(bearer, 'wrong', 'quite another password');
  for (const bad of ['short', 'password123', '', NEW_PASSWORD]) await change(bearer, NEW_PASSWORD, bad);
  const { cookie, csrf } = await cookieLogin(quietly, (await newUser(quietly)).email);
  const changed = await ask('by cookie', 'POST', '/v1/password', {
    cookie,
    csrf,
    body: { current_password: NEW_PASSWORD, new_password: 'quite another password' },
  });
  await ask('the cookie before', 'GET', '/v1/session', { cookie });
  await ask('the new cookie', 'GET', '/v1/session', { cookie: cookieOf(changed) });
};

const check: Section = async ({ ask, quietly }) => {
  const [one, shop] = [await opened(quietly, 2), await opened(quietly, 2, { client_id: 'shop' })];
  for (const { bearer } of [one, shop])
    for (const audience of [
      '',
      '?audience=https%3A%2F%2Fshop.example',
      '?audience=',
      '?audience=x&audience=x',
      '?x=%FF',
    ])
      await ask('a credential', 'GET', `/v1/check${audience}`, { bearer });
  for (const method of ['POST', 'DELETE', 'PUT', 'HEAD', 'OPTIONS'])
    for (const path of ['/v1/check', '/v1/check/', '/v1/check/some/where?x=%FF'])
      await ask('as a proxy asks', method, path, { bearer: one.bearer });
  await ask('of a trusted page', 'GET', '/v1/check', {
    bearer: one.bearer,
    headers: { origin: 'https://trusted.example' },
  });
  for (const bearer of ['made-up', SERVICE_KEY, one.refresh, `${one.bearer}x`, one.bearer.slice(0, -3)])
    await ask('none that is alive', 'GET', '/v1/check', { bearer });
  await quietly('POST', '/v1/logout', { bearer: one.bearer });
  for (const method of ['GET', 'POST']) await ask('logged out', method, '/v1/check', { bearer: one.bearer });
};

export const OWN_API: Record<string, Section> = {
  'log in': login,
  refresh,
  devices: ownSessions,
  'log out': logout,
  passwords,
  check,
  introspect: async ({ ask, quietly }) => {
    const one = await opened(quietly, 2, { device: { id: 'laptop' } });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const form = (who: string, body: string, more: object = headers) =>
      ask(who, 'POST', '/oauth/introspect', { ...service, body, headers: { ...more } });
    const { cookie } = await cookieLogin(quietly);
    for (const text of [one.bearer, one.refresh, cookie, 'made-up', ''])
      await form('a token', `token=${text}`);
    await form('a hint', `token=${one.bearer}&token_type_hint=access_token`);
    await form('an audience', `token=${one.bearer}&audience=https%3A%2F%2Fshop.example`);
    await form('twice', 'token=a&token=b');
    await form('none', 'x=1');
    await form('no UTF-8', 'token=%FF');
    await form('JSON', '{}', { 'content-type': 'application/json' });
    await quietly('POST', '/v1/logout', { bearer: one.bearer });
    await form('logged out', `token=${one.bearer}`);
  },
  revoke: async ({ ask, quietly }) => {
    const form = (who: string, body: string, more: object = {}) =>
      ask(who, 'POST', '/oauth/revoke', {
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        ...more,
      });
    const [one, another] = [await opened(quietly, 2), await opened(quietly, 2)];
    await form('of another client', `token=${one.bearer}&client_id=token`);
    await form('nobody', `token=${one.bearer}`);
    await form('a wrong key', `token=${one.bearer}`, { bearer: 'made-up' });
    await form('a client', `token=${one.refresh}&client_id=default&token_type_hint=pigeon`);
    await form('again', `token=${one.refresh}&client_id=default`);
    await form('unknown', 'token=made-up&client_id=default');
    await form('a key', `token=${another.bearer}`, service);
    await form('none', 'client_id=default');
    await form('twice', 'token=a&token=b&client_id=default');
    await form('JSON', '{}', { headers: { 'content-type': 'application/json' } });
  },
};
