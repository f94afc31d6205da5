/** Bad input is answered with 400 and the name of the field, for every row that takes any, and nothing happens. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described, ROWS, rowOf } from './described.ts';
import { alive, type OpenSession, opened } from './logins.ts';

const SID = '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60';
const CREDENTIALS = { email: 'test@example.com', password: PASSWORD };

/** The caller, the request, and the field at fault; null where it is the body as a whole. */
type Case = [
  who: 'nobody' | 'user' | 'service',
  method: string,
  path: string,
  body: unknown,
  field: string | null,
];

const wholeBody = (who: Case[0], method: string, path: string): Case[] =>
  ['{', '[]', 'null', '"text"', '7', 'undefined', '{"a":1}}', '\0'].map((body) => [
    who,
    method,
    path,
    body,
    null,
  ]);

/** Invalid spellings of a number: each would be 1, or its double. */
const NUMBERS = [
  '0x1',
  '1e0',
  '%201',
  '1%20',
  '%2B1',
  '1.0',
  '01',
  '-0',
  '0b1',
  '٣',
  '9007199254740992',
  '9'.repeat(20),
];

const KEY = { name: 'Shop', client_id: 'default', scopes: ['verify'] };
const KEY_BODIES: [more: object, field: string][] = [
  [{ name: undefined }, 'name'],
  [{ name: '' }, 'name'],
  [{ name: '\u202e\u0007 ' }, 'name'],
  [{ name: 'x'.repeat(101) }, 'name'],
  [{ name: '\0' }, 'name'],
  [{ client_id: 'no/name' }, 'client_id'],
  [{ client_id: 'unknown' }, 'client_id'],
  [{ scopes: undefined }, 'scopes'],
  [{ scopes: [] }, 'scopes'],
  [{ scopes: ['verify', 'root'] }, 'scopes.1'],
  [{ scopes: 'verify' }, 'scopes'],
  [{ scopes: ['admin'] }, 'scopes'],
  [{ expires_at: 'tomorrow' }, 'expires_at'],
  [{ expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
];

const CASES: Case[] = [
  ...NUMBERS.flatMap((text): Case[] => [
    ['service', 'GET', `/v1/admin/users/${text}`, undefined, 'id'],
    ['service', 'PATCH', `/v1/admin/users/${text}`, { name: 'x' }, 'id'],
    ['service', 'DELETE', `/v1/admin/users/${text}`, undefined, 'id'],
    ['service', 'DELETE', `/v1/admin/api-keys/${text}`, undefined, 'id'],
    ['service', 'GET', `/v1/admin/api-keys?before=${text}`, undefined, 'before'],
    ['service', 'POST', `/v1/admin/users/${text}/password`, {}, 'id'],
    ['service', 'GET', `/v1/admin/users?after=${text}`, undefined, 'after'],
    ['service', 'GET', `/v1/admin/users?limit=${text}`, undefined, 'limit'],
    ['service', 'GET', `/v1/admin/sessions?user_id=${text}`, undefined, 'user_id'],
    ['service', 'GET', `/v1/admin/events?user_id=${text}`, undefined, 'user_id'],
    ['service', 'GET', `/v1/admin/events?before=${text}`, undefined, 'before'],
    ['service', 'GET', `/v1/admin/events?after=${text}`, undefined, 'after'],
  ]),
  ['service', 'GET', '/v1/admin/sessions?user_id=1&user_id=2', undefined, 'user_id'],
  ...wholeBody('nobody', 'POST', '/v1/login'),
  ['nobody', 'POST', '/v1/login', {}, 'email'],
  ['nobody', 'POST', '/v1/login', { email: 'x', password: 'y' }, 'email'],
  ['nobody', 'POST', '/v1/login', { email: 'a b@example.com', password: 'y' }, 'email'],
  ['nobody', 'POST', '/v1/login', { email: 'a\0@example.com', password: 'y' }, 'email'],
  ['nobody', 'POST', '/v1/login', { email: ['test@example.com'], password: 'y' }, 'email'],
  ['nobody', 'POST', '/v1/login', { email: CREDENTIALS.email }, 'password'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, password: '' }, 'password'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, password: 'x'.repeat(1025) }, 'password'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, transport: 'carrier' }, 'transport'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, client_id: 'nothing' }, 'client_id'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, client_id: '../x' }, 'client_id'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, client_id: '__proto__' }, 'client_id'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, device: 'laptop' }, 'device'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, device: { id: '' } }, 'device.id'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, device: { id: 'a b' } }, 'device.id'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, device: { id: 'x'.repeat(129) } }, 'device.id'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, device: { name: 'x'.repeat(101) } }, 'device.name'],
  ['nobody', 'POST', '/v1/login', { ...CREDENTIALS, device: { name: 'a\0b' } }, 'device.name'],
  ...wholeBody('nobody', 'POST', '/v1/refresh'),
  ['nobody', 'POST', '/v1/refresh', {}, 'refresh_token'],
  ['nobody', 'POST', '/v1/refresh', { refresh_token: '' }, 'refresh_token'],
  ['nobody', 'POST', '/v1/refresh', { refresh_token: 5 }, 'refresh_token'],
  ['nobody', 'POST', '/v1/refresh', { refresh_token: 'x'.repeat(2049) }, 'refresh_token'],
  ...wholeBody('user', 'POST', '/v1/logout'),
  ['user', 'POST', '/v1/logout', { scope: 'everyone' }, 'scope'],
  ['user', 'POST', '/v1/logout', { scope: null }, 'scope'],
  ['user', 'POST', '/v1/logout', { scope: 'selected' }, 'sessions'],
  ['user', 'POST', '/v1/logout', { scope: 'selected', sessions: [] }, 'sessions'],
  ['user', 'POST', '/v1/logout', { scope: 'selected', sessions: SID }, 'sessions'],
  ['user', 'POST', '/v1/logout', { scope: 'selected', sessions: [SID, 'x'] }, 'sessions.1'],
  [
    'user',
    'POST',
    '/v1/logout',
    { scope: 'selected', sessions: Array.from({ length: 1001 }, () => SID) },
    'sessions',
  ],
  ['user', 'POST', '/v1/logout', { scope: 'device', device: '' }, 'device'],
  ['user', 'POST', '/v1/logout', { scope: 'device', device: 'x'.repeat(129) }, 'device'],
  ['user', 'POST', '/v1/logout', { scope: 'device', device: 'a\0b' }, 'device'],
  ['user', 'POST', '/v1/logout', { wait: 'forever' }, 'wait'],
  ['user', 'DELETE', '/v1/sessions/x', undefined, 'id'],
  ['user', 'DELETE', `/v1/sessions/${SID}0`, undefined, 'id'],
  ['user', 'DELETE', `/v1/sessions/%00`, undefined, 'id'],
  ...wholeBody('user', 'PATCH', `/v1/sessions/${SID}`),
  ['user', 'PATCH', '/v1/sessions/x', { name: 'Laptop' }, 'id'],
  ['user', 'PATCH', `/v1/sessions/${SID}`, {}, 'name'],
  ['user', 'PATCH', `/v1/sessions/${SID}`, { name: 7 }, 'name'],
  ['user', 'PATCH', `/v1/sessions/${SID}`, { name: 'a\0b' }, 'name'],
  ['user', 'PATCH', `/v1/sessions/${SID}`, { name: 'x'.repeat(10_000) }, 'name'],
  ...wholeBody('user', 'POST', '/v1/session/confirm'),
  ['user', 'POST', '/v1/session/confirm', {}, 'password'],
  ['user', 'POST', '/v1/session/confirm', { password: '' }, 'password'],
  ['user', 'POST', '/v1/session/confirm', { password: 'x'.repeat(1025) }, 'password'],
  ...wholeBody('user', 'POST', '/v1/password'),
  ['user', 'POST', '/v1/password', { new_password: 'long enough' }, 'current_password'],
  ['user', 'POST', '/v1/password', { current_password: 'x' }, 'new_password'],
  ['user', 'POST', '/v1/password', { current_password: PASSWORD, new_password: 'short' }, 'new_password'],
  [
    'user',
    'POST',
    '/v1/password',
    { current_password: PASSWORD, new_password: 'x'.repeat(1025) },
    'new_password',
  ],
  ['user', 'GET', '/v1/sessions?limit=0', undefined, 'limit'],
  ['user', 'GET', '/v1/sessions?before=x', undefined, 'before'],
  ['service', 'GET', '/v1/admin/users?limit=0', undefined, 'limit'],
  ['service', 'GET', '/v1/admin/users?limit=1001', undefined, 'limit'],
  ['service', 'GET', '/v1/admin/users?limit=ten', undefined, 'limit'],
  ['service', 'GET', '/v1/admin/users?limit=1.5', undefined, 'limit'],
  ['service', 'GET', '/v1/admin/users?after=-1', undefined, 'after'],
  ['service', 'GET', '/v1/admin/users?after=1e300', undefined, 'after'],
  ['service', 'GET', `/v1/admin/users?query=${'x'.repeat(201)}`, undefined, 'query'],
  ['service', 'GET', '/v1/admin/users?query=a%00b', undefined, 'query'],
  ...wholeBody('service', 'POST', '/v1/admin/users'),
  ['service', 'POST', '/v1/admin/users', {}, 'email'],
  ['service', 'POST', '/v1/admin/users', { email: 'x' }, 'email'],
  ['service', 'POST', '/v1/admin/users', { email: 'a@b.cc', name: 'x'.repeat(201) }, 'name'],
  ['service', 'POST', '/v1/admin/users', { email: 'a@b.cc', name: '\0' }, 'name'],
  ['service', 'POST', '/v1/admin/users', { email: 'a@b.cc', workspace: '\0' }, 'workspace'],
  ['service', 'POST', '/v1/admin/users', { email: 'a@b.cc', role: 'root' }, 'role'],
  ['service', 'POST', '/v1/admin/users', { email: 'a@b.cc', password: 'short' }, 'password'],
  ['service', 'POST', '/v1/admin/users', { email: 'a@b.cc', password: null }, 'password'],
  ['service', 'GET', '/v1/admin/users/0', undefined, 'id'],
  ['service', 'GET', '/v1/admin/users/x', undefined, 'id'],
  ['service', 'GET', '/v1/admin/users/9007199254740993', undefined, 'id'],
  ...wholeBody('service', 'PATCH', '/v1/admin/users/2'),
  ['service', 'PATCH', '/v1/admin/users/-1', { name: 'x' }, 'id'],
  ['service', 'PATCH', '/v1/admin/users/2', {}, null],
  ['service', 'PATCH', '/v1/admin/users/2', { other: 1 }, 'other'],
  ['service', 'PATCH', '/v1/admin/users/2', { note: 'only this' }, null],
  ['service', 'PATCH', '/v1/admin/users/2', { role: 'root' }, 'role'],
  ['service', 'PATCH', '/v1/admin/users/2', { disabled: 'yes' }, 'disabled'],
  ['service', 'PATCH', '/v1/admin/users/2', { name: 7 }, 'name'],
  ['service', 'PATCH', '/v1/admin/users/2', { workspace: 'x\0' }, 'workspace'],
  ['service', 'DELETE', '/v1/admin/users/x', undefined, 'id'],
  ...wholeBody('service', 'POST', '/v1/admin/users/2/password'),
  ['service', 'POST', '/v1/admin/users/x/password', {}, 'id'],
  ['service', 'POST', '/v1/admin/users/2/password', { password: 'short' }, 'password'],
  ['service', 'POST', '/v1/admin/users/2/password', { password: 7 }, 'password'],
  ['service', 'GET', '/v1/admin/sessions?user_id=0', undefined, 'user_id'],
  ['service', 'GET', '/v1/admin/sessions?client_id=%20', undefined, 'client_id'],
  ['service', 'GET', '/v1/admin/sessions?ended=maybe', undefined, 'ended'],
  ['service', 'GET', '/v1/admin/sessions?before=x', undefined, 'before'],
  ['service', 'GET', '/v1/admin/sessions?limit=-5', undefined, 'limit'],
  ...wholeBody('service', 'POST', '/v1/admin/sessions'),
  ['service', 'POST', '/v1/admin/sessions', {}, 'user_id'],
  ['service', 'POST', '/v1/admin/sessions', { user_id: '2' }, 'user_id'],
  ['service', 'POST', '/v1/admin/sessions', { user_id: 2.5 }, 'user_id'],
  ['service', 'POST', '/v1/admin/sessions', { user_id: 2, transport: 'x' }, 'transport'],
  ['service', 'POST', '/v1/admin/sessions', { user_id: 2, client_id: 'nothing' }, 'client_id'],
  ['service', 'POST', '/v1/admin/sessions', { user_id: 2, device: { id: '\0' } }, 'device.id'],
  ['service', 'POST', '/v1/admin/sessions', { user_id: 2, count: 0 }, 'count'],
  ['service', 'POST', '/v1/admin/sessions', { user_id: 2, count: 1001 }, 'count'],
  ...wholeBody('service', 'POST', '/v1/admin/logout'),
  ['service', 'POST', '/v1/admin/logout', {}, 'scope'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'world' }, 'scope'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'user' }, 'user_id'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'users', user_ids: [] }, 'user_ids'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'users', user_ids: [1, 'x'] }, 'user_ids.1'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'sessions', sessions: ['x'] }, 'sessions.0'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'device', user_id: 2 }, 'device_id'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'device', user_id: 2, device_id: '\0' }, 'device_id'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'device', device_id: 'x' }, 'user_id'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'client', client_id: '' }, 'client_id'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'everyone', confirm: -1 }, 'confirm'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'everyone', confirm: '2' }, 'confirm'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'user', user_id: 2, wait: 1 }, 'wait'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'user', user_id: 2, confirm: 1 }, 'confirm'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'user', user_id: 2, dry_run: 'yes' }, 'dry_run'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'user', user_id: 2, note: 'x'.repeat(501) }, 'note'],
  ['service', 'POST', '/v1/admin/logout', { scope: 'user', user_id: 2, note: '\0' }, 'note'],
  ['service', 'POST', '/v1/admin/logout?dry_run=true', { scope: 'user', user_id: 2 }, 'dry_run'],
  ...wholeBody('service', 'POST', '/v1/admin/keys/rotate'),
  ...wholeBody('service', 'POST', '/v1/admin/api-keys'),
  ...KEY_BODIES.map(
    ([more, field]): Case => ['service', 'POST', '/v1/admin/api-keys', { ...KEY, ...more }, field],
  ),
  ...wholeBody('service', 'DELETE', '/v1/admin/api-keys/1'),
  ['service', 'DELETE', '/v1/admin/api-keys/1', { confirm_last_admin_key: 'yes' }, 'confirm_last_admin_key'],
  ['service', 'GET', '/v1/admin/api-keys?revoked=maybe', undefined, 'revoked'],
  ...wholeBody('service', 'POST', '/v1/admin/clients'),
  ['service', 'POST', '/v1/admin/clients', {}, 'client_id'],
  ['service', 'POST', '/v1/admin/clients', { client_id: '-' }, 'client_id'],
  ['service', 'POST', '/v1/admin/clients', { client_id: 'a', name: '\0' }, 'name'],
  ['service', 'POST', '/v1/admin/clients', { client_id: 'a', disabled: true }, 'disabled'],
  ['service', 'GET', '/v1/admin/clients/-', undefined, 'id'],
  ...wholeBody('service', 'PATCH', '/v1/admin/clients/token'),
  ['service', 'PATCH', '/v1/admin/clients/-', { name: 'x' }, 'id'],
  ['service', 'PATCH', '/v1/admin/clients/token', {}, null],
  ['service', 'PATCH', '/v1/admin/clients/token', { confirm: 1 }, null],
  ['service', 'PATCH', '/v1/admin/clients/token', { algorithm: 'none' }, 'algorithm'],
  ['service', 'PATCH', '/v1/admin/clients/token', { disabled: true, confirm: -1 }, 'confirm'],
  ...wholeBody('service', 'DELETE', '/v1/admin/clients/shop'),
  ['service', 'DELETE', '/v1/admin/clients/shop', { confirm: 'yes' }, 'confirm'],
  ['service', 'GET', '/v1/admin/events?format=xml', undefined, 'format'],
  ['service', 'GET', '/v1/admin/events?before=x', undefined, 'before'],
  ['service', 'GET', '/v1/admin/events?after=1e30', undefined, 'after'],
  ['service', 'GET', '/v1/admin/events?user_id=me', undefined, 'user_id'],
  ['service', 'GET', '/v1/admin/events?type=%00', undefined, 'type'],
  ['service', 'GET', '/v1/admin/events?reason=%00', undefined, 'reason'],
];

describe('bad input', () => {
  let on: TestAuthority;
  let call: Caller;
  let user: OpenSession;
  /** The position of the newest event. Every begin or end of a session, and every change of a user, appends another. */
  let position: number;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), {
      CURFEW_LOGIN_FAILURES_PAIR: '1000000',
      CURFEW_LOGIN_FAILURES_ADDRESS: '1000000',
      CURFEW_LOGIN_FAILURES_ACCOUNT: '1000000',
    });
    call = described(on.call);
    user = await opened(call, 2);
    position = await newestPosition();
  });
  afterAll(() => on.close());

  test.each(
    CASES.map(
      (one) =>
        [`${one[1]} ${one[2].slice(0, 60)} ${JSON.stringify(one[3] ?? '').slice(0, 60)}`, one] as const,
    ),
  )('%s', async (_name, [who, method, path, body, field]) => {
    const bearer = { nobody: undefined, user: user.bearer, service: SERVICE_KEY }[who];
    const { status, json, headers } = await call(method, path, {
      ...(bearer === undefined ? {} : { bearer }),
      ...(body === undefined ? {} : { body }),
    });
    expect([status, json.field ?? null]).toEqual([400, field]);
    expect(json).toMatchObject({
      type: 'urn:curfew:problem:invalid_request',
      code: 'invalid_request',
      status: 400,
      detail: expect.any(String),
    });
    if (field !== null) expect(json.detail.startsWith(`${field}: `)).toBe(true);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(await newestPosition()).toBe(position);
  });

  test('the session survives all requests above', async () => {
    expect(await alive(call, [user])).toEqual([true]);
  });

  async function newestPosition(): Promise<number> {
    const { json } = await call('GET', '/v1/admin/events?limit=1', { bearer: SERVICE_KEY });
    return json.events[0].position;
  }

  test('every row of /v1 with input is in the table', () => {
    const covered = new Set(CASES.map(([, method, path]) => rowOf(method, path)?.name));
    const taking = ROWS.filter(
      (row) => row.path.startsWith('/v1') && 'request' in row && row.name !== 'checkSession',
    );
    expect(taking.map((row) => row.name).filter((name) => !covered.has(name))).toEqual([]);
    expect(taking.length).toBeGreaterThan(12);
  });
});
