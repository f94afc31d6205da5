/** The administration, the log, the pages, and the requests of other programs. */
import { NEW_PASSWORD, SERVICE_KEY } from '../../support.ts';
import { cookieLogin, newUser, opened, v1Login } from '../logins.ts';
import type { Section } from './families.ts';

const UNKNOWN_SID = '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60';
const service = { bearer: SERVICE_KEY };

const users: Section = async ({ ask, quietly }) => {
  const create = (body: unknown) => ask('a body', 'POST', '/v1/admin/users', { ...service, body });
  const bodies = [
    {},
    { email: 'nobody' },
    { email: 'a\u200b@example.com' },
    { email: 'short@example.com', password: 'short' },
    { email: 'often@example.com', password: 'password123' },
    { email: 'role@example.com', role: 'king' },
    { email: 'grace@example.com', name: 'Grace', password: NEW_PASSWORD, workspace: 'red', note: 'new' },
    { email: 'GRACE@example.com' },
  ];
  for (const body of bodies) await create(body);
  const { id } = (await create({ email: 'alan@example.com', role: 'admin' })).json.user;
  const find = (query: string) => ask('found', 'GET', `/v1/admin/users?${query}`, service);
  for (const query of [
    'query=alan',
    'query=nowhere',
    'query=%40example.com&limit=2',
    'limit=0',
    'after=x',
    'x=1&limit=1',
  ])
    await find(query);
  await find(`after=${id - 2}&limit=1`);
  const admin = await v1Login(quietly, 'admin@example.com');
  for (const path of [
    `/v1/admin/users/${id}`,
    '/v1/admin/users/999',
    '/v1/admin/users/0',
    '/v1/admin/users/x',
  ])
    await ask('one', 'GET', path, { bearer: admin.bearer });
  const change = (who: string, body: unknown) =>
    ask(who, 'PATCH', `/v1/admin/users/${id}`, { ...service, body });
  for (const body of [
    {},
    { name: 'Alan', note: 'named' },
    { role: 'user' },
    { disabled: true },
    { disabled: false },
  ])
    await change('changed', body);
  await ask('nobody', 'PATCH', '/v1/admin/users/999', { ...service, body: { name: 'x' } });
  for (const body of [{ role: 'user' }, { disabled: true }])
    await ask('the last administrator', 'PATCH', '/v1/admin/users/1', { ...service, body });
  await ask('the last administrator', 'DELETE', '/v1/admin/users/1', service);
  for (const body of [undefined, { password: 'short' }, { password: 'a password given' }])
    await ask('reset', 'POST', `/v1/admin/users/${id}/password`, { ...service, ...(body ? { body } : {}) });
  await ask('reset', 'POST', '/v1/admin/users/999/password', service);
  for (const who of ['first', 'again']) await ask(who, 'DELETE', `/v1/admin/users/${id}`, service);
};

const sessions: Section = async ({ ask, quietly }) => {
  const { id } = await newUser(quietly, { name: 'Has Sessions' });
  const start = (body: object) =>
    ask('a body', 'POST', '/v1/admin/sessions', { ...service, body: { user_id: id, ...body } });
  for (const body of [
    { transport: 'cookie', device: { id: 'laptop', name: 'Laptop' } },
    { transport: 'opaque' },
    { count: 1, client_id: 'shop' },
    { count: 0 },
    { client_id: 'nobody' },
    { user_id: 999 },
    { user_id: 'x' },
  ])
    await start(body);
  const gone = await opened(quietly, id);
  await quietly('POST', '/v1/logout', { bearer: gone.bearer });
  for (const query of [
    `?user_id=${id}`,
    `?user_id=${id}&ended=only`,
    `?user_id=${id}&ended=true&limit=1`,
    `?user_id=${id}&before=${gone.sid}&limit=1`,
    `?user_id=${id}&client_id=shop`,
    '?client_id=nobody',
    '?ended=x',
    '?before=x',
    '?limit=1001',
    '?x=1&limit=1',
  ])
    await ask('listed', 'GET', `/v1/admin/sessions${query}`, service);
};

const logouts: Section = async ({ ask, quietly }) => {
  const [one, two] = [await newUser(quietly), await newUser(quietly)];
  const open = () => opened(quietly, one.id, { client_id: 'shop', device: { id: 'phone' } });
  const end = (who: string, body: unknown) => ask(who, 'POST', '/v1/admin/logout', { ...service, body });
  for (const body of [
    {},
    { scope: 'pigeon' },
    { scope: 'user' },
    { scope: 'user', user_id: 0 },
    { scope: 'users', user_ids: [] },
    { scope: 'sessions', sessions: ['x'] },
    { scope: 'device', user_id: one.id },
    { scope: 'client', client_id: '-' },
    { scope: 'user', user_id: one.id, confirm: 1 },
  ])
    await end('a wrong body', body);
  for (const body of [
    { scope: 'user', user_id: one.id },
    { scope: 'users', user_ids: [one.id, two.id] },
    { scope: 'device', user_id: one.id, device_id: 'phone' },
    { scope: 'client', client_id: 'shop' },
  ]) {
    await open();
    await end('what would end', { ...body, dry_run: true });
    await end('ended', { ...body, note: 'by the recording' });
  }
  const { sid } = await open();
  for (const sessions of [[sid], [sid], [UNKNOWN_SID]]) await end('by name', { scope: 'sessions', sessions });
  await end('nobody', { scope: 'user', user_id: 999 });
  await end('without waiting', { scope: 'user', user_id: two.id, wait: 'none' });
  const admin = await v1Login(quietly, 'admin@example.com');
  const { json } = await ask('everyone', 'POST', '/v1/admin/logout', {
    bearer: admin.bearer,
    body: { scope: 'everyone' },
  });
  await end('everyone, confirmed', { scope: 'everyone', confirm: json.count });
  await ask('the administrator too', 'GET', '/v1/session', { bearer: admin.bearer });
};

const log: Section = async ({ ask, quietly }, pass) => {
  const { id, email } = await newUser(quietly, { note: 'for the log' });
  const { bearer } = await v1Login(quietly, email, { device: { id: 'laptop' } });
  await quietly('POST', '/v1/login', {
    body: { email, password: 'wrong' },
    headers: { 'user-agent': '=cmd' },
  });
  await quietly('GET', '/v1/admin/users', { bearer });
  await quietly('PATCH', `/v1/admin/users/${id}`, {
    ...service,
    body: { name: 'Log Ged', note: 'why, "so"' },
  });
  await quietly('POST', '/v1/logout', { bearer, body: { scope: 'all', note: 'bye' } });
  pass(1);
  const read = (who: string, query: string) => ask(who, 'GET', `/v1/admin/events${query}`, service);
  const { json } = await read('of a user', `?user_id=${id}`);
  await read('without the refused', `?user_id=${id}&refused=false&limit=2`);
  await read('the refused alone', `?user_id=${id}&refused=only`);
  await read('before', `?user_id=${id}&limit=1&before=${json.events[1].position}`);
  await read('after', `?user_id=${id}&limit=1&after=${json.events.at(-1).position}`);
  for (const query of [
    'type=sessions_ended',
    'reason=logout',
    `actor=user:${id}`,
    'client_id=default',
    'actor=service',
  ])
    await read('some', `?user_id=${id}&${query}`);
  for (const format of ['jsonl', 'csv']) await read('exported', `?user_id=${id}&format=${format}`);
  for (const query of [
    'type=',
    'actor=me',
    'since=yesterday',
    'refused=x',
    'format=xml',
    'limit=0',
    'cursor=x',
    'x=1&limit=1',
  ])
    await read('a wrong query', `?${query}`);
  await read('none', '?until=2000-01-01T00:00:00Z');
};

const operation: Section = async ({ ask, quietly }) => {
  for (const path of [
    '/healthz',
    '/readyz',
    '/.well-known/jwks.json',
    '/docs',
    '/docs/start.js',
    '/docs/swagger-ui.css',
  ])
    for (const method of ['GET', 'HEAD', 'POST']) await ask('anybody', method, path);
  const { headers } = await ask('anybody', 'GET', '/openapi.json');
  for (const etag of [headers.get('etag') ?? '', '"other"', '*'])
    await ask('with an ETag', 'GET', '/openapi.json', { headers: { 'if-none-match': etag } });
  await ask('for what is gzipped', 'GET', '/docs/start.js', { headers: { 'accept-encoding': 'gzip' } });
  await ask('the machine itself', 'GET', '/metrics', { address: '127.0.0.1' });
  await ask('the machine itself, for another', 'GET', '/metrics', {
    address: '127.0.0.1',
    headers: { 'x-forwarded-for': '192.0.2.9' },
  });
  await ask('the keys', 'GET', '/v1/admin/keys', service);
  await ask('rotated', 'POST', '/v1/admin/keys/rotate', { ...service, body: { note: 'now' } });
  await ask('after that', 'GET', '/.well-known/jwks.json');
  const { bearer } = await opened(quietly, 2);
  await ask('by the old key still', 'GET', '/v1/check', { bearer });
  for (const path of [
    '/nowhere',
    '/v1',
    '/v1/',
    '/v1/nowhere',
    '/auth',
    '/AUTH/login',
    '/auth/login/',
    '//auth/login',
  ])
    await ask('no address', 'GET', path);
  for (const [method, path] of [
    ['OPTIONS', '/'],
    ['OPTIONS', '/auth/login'],
    ['DELETE', '/auth/login'],
    ['PUT', '/v1/logout'],
  ])
    await ask('another method', method as string, path as string);
  await ask('too long', 'GET', `/healthz?${'x'.repeat(8200)}`);
};

const pages: Section = async ({ ask, quietly }) => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  for (const path of [
    '/',
    '/login',
    '/login?lang=pl&next=%2Fadmin&reason=logout',
    '/login?next=%FF',
    '/logout',
    '/devices',
    '/admin',
    '/admin/users/2',
  ])
    await ask('nobody', 'GET', path);
  await ask('by language', 'GET', '/login', { headers: { 'accept-language': 'vi' } });
  const post = (who: string, path: string, body: string, more: object = {}) =>
    ask(who, 'POST', path, { body, headers: { ...form, ...more } });
  const { email } = await newUser(quietly);
  const right = `email=${email}&password=${encodeURIComponent(NEW_PASSWORD)}`;
  await post('nothing', '/login', '');
  await post('wrong', '/login', `email=${email}&password=wrong`);
  await post('from another site', '/login', right, { 'sec-fetch-site': 'cross-site' });
  await post('right', '/login', `${right}&next=${encodeURIComponent('/admin?x=1')}`);
  await post('right, to another site', '/login', `${right}&next=https%3A%2F%2Felsewhere.example`);
  const own = await cookieLogin(quietly, email);
  for (const path of ['/login', '/logout', '/devices', '/admin', '/pages/nowhere.js'])
    await ask('logged in', 'GET', path, { cookie: own.cookie });
  await ask('without the token', 'POST', '/logout', { cookie: own.cookie, body: '', headers: form });
  const headers = { ...form, origin: 'http://localhost:8000' };
  await ask('with it', 'POST', '/logout', { cookie: own.cookie, body: `csrf=${own.csrf}`, headers });

  for (const path of ['/devices', '/login', '/logout'])
    await ask('logged out', 'GET', path, { cookie: own.cookie });
};

const apiKeys: Section = async ({ ask, quietly }, pass) => {
  const create = (who: string, body: object) => ask(who, 'POST', '/v1/admin/api-keys', { ...service, body });
  const shop = {
    name: 'Shop back end',
    client_id: 'shop',
    scopes: ['verify', 'sessions:open', 'sessions:end'],
  };
  const { key, secret: bearer } = (await create('of a client', { ...shop, note: 'for the shop' })).json;
  const operator = (await create('of an operator', { name: 'Deploy', scopes: ['admin'] })).json;
  for (const body of [
    { ...shop, scopes: ['admin'] },
    { ...shop, client_id: 'nobody' },
    { ...shop, expires_at: '2030-01-01T00:00:00Z' },
    { ...shop, name: ' ' },
  ])
    await create('refused', body);
  const brief = { name: 'Brief', scopes: ['users'], expires_at: '2031-01-10T00:00:00Z' };
  await create('that expires', brief);
  await ask('listed', 'GET', '/v1/admin/api-keys', service);
  await ask('listed', 'GET', '/v1/admin/api-keys?limit=1', service);
  const { id } = await newUser(quietly, { name: 'Of the Shop', external_id: 'shop-1' });
  const body = { user_id: id };
  const started = (await ask('by the key', 'POST', '/v1/admin/sessions', { bearer, body })).json;
  for (const [method, path, more] of [
    ['POST', '/v1/admin/sessions', { user_id: 1 }],
    ['POST', '/v1/admin/sessions', { user_id: id, client_id: 'default' }],
    ['GET', '/v1/admin/sessions?external_id=shop-1&issuer=crm', undefined],
    ['GET', '/v1/admin/sessions', undefined],
    ['GET', '/v1/admin/sessions?client_id=default', undefined],
    ['GET', '/v1/admin/users', undefined],
    ['GET', '/v1/admin/state', undefined],
    ['GET', '/metrics', undefined],
    ['POST', '/v1/admin/logout', { scope: 'user', user_id: id }],
    ['POST', '/v1/admin/logout', { scope: 'sessions', sessions: [started.session.id] }],
  ] as const)
    await ask('by the key', method, path, { bearer, ...(more ? { body: more } : {}) });
  await ask('by the key', 'GET', `/v1/admin/events?actor=key:${key.id}`, service);
  pass(60);
  const revoke = (who: string, its: number, more?: object) =>
    ask(who, 'DELETE', `/v1/admin/api-keys/${its}`, { ...service, ...(more ? { body: more } : {}) });
  await revoke('revoked', key.id, { note: 'leaked' });
  await ask('by the revoked key', 'POST', '/v1/admin/sessions', { bearer, body });
  await revoke('again', key.id);
  await revoke('unknown', 999);
  await revoke('the last', operator.key.id);
  await revoke('the last, confirmed', operator.key.id, { confirm_last_admin_key: true });
  await ask('also revoked', 'GET', '/v1/admin/api-keys?revoked=true', service);
  await ask('logged', 'GET', '/v1/admin/events?type=api_key_revoked&limit=1', service);
};

const clients: Section = async ({ ask, quietly }) => {
  const create = (who: string, body: object) => ask(who, 'POST', '/v1/admin/clients', { ...service, body });
  const change = (who: string, id: string, body: object) =>
    ask(who, 'PATCH', `/v1/admin/clients/${id}`, { ...service, body });
  const remove = (who: string, id: string, body?: object) =>
    ask(who, 'DELETE', `/v1/admin/clients/${id}`, { ...service, ...(body && { body }) });
  await create('with everything', {
    client_id: 'fair',
    name: 'The fair',
    audience: 'https://fair.example',
    algorithm: 'EdDSA',
    idle_seconds: 60,
    absolute_seconds: 600,
    access_token_seconds: 30,
    opaque_access_seconds: 40,
    grant_types: ['service'],
    external_issuers: ['crm'],
    note: 'for the fair',
  });
  await create('taken', { client_id: 'fair' });
  await create('idle for longer than it lives', {
    client_id: 'fete',
    idle_seconds: 60,
    absolute_seconds: 30,
  });
  await ask('shown', 'GET', '/v1/admin/clients/fair', service);
  await ask('unknown', 'GET', '/v1/admin/clients/nobody', service);
  const { id: user_id } = await newUser(quietly, { name: 'Of the Fair' });
  await quietly('POST', '/v1/admin/sessions', { ...service, body: { user_id, client_id: 'fair' } });
  const login = { email: 'test@example.com', password: 'password123', client_id: 'fair' };
  await ask('without that grant type', 'POST', '/v1/login', { body: login });
  await change('changed', 'fair', { audience: null, name: 'Fair' });
  await change('built in', 'token', { audience: 'https://token.example' });
  await change('of the pages', 'default', { disabled: true });
  await change('previewed', 'fair', { disabled: true, dry_run: true });
  await change('not confirmed', 'fair', { disabled: true });
  await change('disabled', 'fair', { disabled: true, confirm: 1 });
  await ask('disabled', 'POST', '/v1/login', { body: login });
  await change('enabled', 'fair', { disabled: false });
  await remove('previewed', 'fair', { dry_run: true });
  await remove('deleted', 'fair');
  await remove('again', 'fair');
  await remove('built in', 'token');
  await create('deleted before', { client_id: 'fair' });
};

export const ADMINISTRATION: Record<string, Section> = {
  users,
  sessions,
  logouts,
  log,
  operation,
  pages,
  'api keys': apiKeys,
  clients,
};
