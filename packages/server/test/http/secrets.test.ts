/**
 * A whole run through every endpoint, with failures, and then a search: no secret that was given out, or sent in, is in
 * the log, in the body of an error, or in the database.
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import {
  type Answer,
  type Caller,
  cookieOf,
  migrated,
  recordingLog,
  reopenAuthority,
  SERVICE_KEY,
  strong,
  type TestAuthority,
} from '../support.ts';
import { callForOperators, callWithKeys } from './secret-calls.ts';
import { ROWS } from './described.ts';

const KEY = 'curfew-key-of-the-test-0123456789abcdefghij';
const PASSWORDS = [
  'correct horse battery staple 1',
  'correct horse battery staple 2',
  'tr0ub4dor-and-three',
  'guess-that-was-wrong',
];

/** A secret as it could be found: as it is, in hexadecimal, in both base64s. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    bytes.toString('hex'),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    encodeURIComponent(secret),
  ];
}

describe.runIf(hasPostgres())('secrets', () => {
  let on: TestAuthority;
  let url: string;
  const recorded = recordingLog();
  const secrets = new Set<string>([...PASSWORDS, SERVICE_KEY, KEY]);
  const errors: string[] = [];
  const visited = new Set<string>();
  let ahead = 0;

  beforeAll(async () => {
    url = await freshDatabase(migrated);
    on = await reopenAuthority(
      {
        DATABASE_URL: url,
        CURFEW_KEY: KEY,
        CURFEW_CLIENTS: '{"rs":{"algorithm":"RS256"},"es":{"algorithm":"ES256"}}',
        CURFEW_LOGIN_FAILURES_PAIR: '4',
        LOG_LEVEL: 'trace',
      },
      { log: recorded.log, system: { now: () => new Date(Date.now() + ahead), passwords: strong } },
    );
  });
  afterAll(() => on.close());

  /** Every value of an answer that opens something. */
  function note(answer: Answer): void {
    const walk = (value: unknown, name: string): void => {
      if (
        typeof value === 'string' &&
        /token$|Token$|^password$|^value$|^secret$/.test(name) &&
        value.length > 8
      )
        secrets.add(value);
      if (typeof value === 'object' && value !== null)
        for (const [key, inner] of Object.entries(value)) walk(inner, /^\d+$/.test(key) ? name : key);
    };
    walk(answer.json, '');
    for (const line of answer.headers.getSetCookie()) {
      const value = /=([^;]*)/.exec(line)?.[1];
      if (value) secrets.add(value);
    }
  }

  const call: Caller = async (method, path, options) => {
    const answer = await on.call(method, path, options);
    visited.add(`${method} ${path.split('?')[0]}`);
    if (answer.status >= 400) errors.push(answer.text);
    else note(answer as Answer);
    return answer;
  };

  async function wholeRun(): Promise<void> {
    const [first = '', second = '', third = '', wrong = ''] = PASSWORDS;
    const service = { bearer: SERVICE_KEY };
    const made = await call('POST', '/v1/admin/users', {
      ...service,
      body: { email: 'ada@example.com', name: 'Ada', password: first },
    });
    const { id } = made.json.user;
    await call('POST', '/v1/admin/users', {
      ...service,
      body: { email: 'ada@example.com', password: first },
    });
    await call('POST', '/v1/admin/users', { ...service, body: { email: 'no address', password: first } });
    const who = { email: 'ada@example.com', password: first };
    const address = { address: '203.0.113.5' };

    // Logins that go right, wrong, and are malformed, in every family.
    const v1 = (
      await call('POST', '/v1/login', { body: { ...who, device: { id: 'laptop', name: 'Laptop' } } })
    ).json;
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

    // Every credential at every door that asks for one, also where it does not belong.
    const bearers = [
      v1.access_token,
      rs.access_token,
      es.access_token,
      envelope.access_token,
      sess.sessionToken,
      token.access_token,
      v1.refresh_token,
      cookie,
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
      await call('GET', `/v1/session?token=${encodeURIComponent(bearer)}`, { cookie });
      await call('GET', `/api/users/${id}?sessionId=${encodeURIComponent(bearer)}`);
      await call('POST', `/api/auth/logout?userId=1&sessionId=${encodeURIComponent(bearer)}`);
      await call('POST', `/api/auth/logout?sessionId=${encodeURIComponent(bearer)}`);
      await call('POST', '/v1/refresh', { body: { refresh_token: `${bearer}x` } });
      await call('POST', '/auth/refresh', { body: { refresh_token: [bearer] } });
      await call('POST', '/api/v1/auth/refresh', { body: { refresh_token: `${bearer}x` } });
    }
    for (const value of [cookie, v1.access_token]) {
      await call('GET', '/v1/session', { cookie: value });
      await call('GET', '/auth/profile', {
        headers: { cookie: `curfew_session=${value}; curfew_session=${value}` },
      });
      await call('POST', '/auth/logout', { cookie: value, headers: { 'x-csrf-token': first } });
      await call('POST', '/auth/logout?scope=nothing', { cookie: value, csrf });
    }

    // Refresh, again within the grace, and replay after it.
    for (const [path, refresh] of [
      ['/v1/refresh', rs.refresh_token],
      ['/auth/refresh', envelope.refresh_token],
      ['/api/v1/auth/refresh', token.refresh_token],
    ] as const) {
      await call('POST', path, { body: { refresh_token: refresh } });
      const again = await call('POST', path, { body: { refresh_token: refresh } });
      expect(again.status).toBe(200);
    }
    ahead = 60_000;
    expect((await call('POST', '/v1/refresh', { body: { refresh_token: rs.refresh_token } })).status).toBe(
      401,
    );

    // Administration.
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
      bearer: v1.access_token,
      body: { current_password: wrong, new_password: second },
    });
    await call('POST', '/v1/password', {
      bearer: v1.access_token,
      body: { current_password: first, new_password: 'short' },
    });
    const renewed = await call('POST', '/v1/password', {
      bearer: v1.access_token,
      body: { current_password: first, new_password: second },
    });
    expect(renewed.status).toBe(200);
    await call('PATCH', `/v1/admin/users/${id}`, { ...service, body: { role: 'admin' } });
    await call('PATCH', `/v1/admin/users/${id}`, { ...service, body: { role: first } });
    await call('POST', `/v1/admin/users/${id}/password`, { ...service, body: { password: third } });
    expect((await call('POST', `/v1/admin/users/${id}/password`, service)).json.password).toHaveLength(20);
    await call('POST', '/v1/admin/keys/rotate', service);

    // Logouts of every kind, and a database that fails in the middle of everything.
    const fresh = async (): Promise<{ bearer: string; sid: string }> => {
      const { json } = await call('POST', '/v1/admin/sessions', { ...service, body: { user_id: id } });
      return { bearer: json.access_token, sid: json.session.id };
    };
    for (const table of ['events', 'users', 'user_sessions', 'login_limits', 'tokens']) {
      const { bearer } = await fresh();
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
      await call('POST', '/v1/refresh', { body: { refresh_token: es.refresh_token } });
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
    const one = await fresh();
    const other = (await fresh()).bearer;
    await call('PATCH', `/v1/sessions/${one.sid}`, { bearer: other, body: { name: 'Phone' } });
    await call('PATCH', `/v1/sessions/${id}`, { bearer: other, body: { name: third } });
    for (const password of [third, wrong, third.repeat(1000)])
      await call('POST', '/v1/session/confirm', { bearer: other, body: { password } });
    await call('DELETE', `/v1/sessions/${one.sid}`, { bearer: other });
    for (const scope of ['others', 'device', 'this', 'all'])
      await call('POST', '/v1/logout', { bearer: (await fresh()).bearer, body: { scope } });
    await call('POST', '/auth/logout', { bearer: (await fresh()).bearer });
    await call('POST', '/api/v1/auth/logout', { bearer: (await fresh()).bearer });
    await call('POST', `/api/auth/logout?userId=${id}&sessionId=${sess.sessionToken}`);
    await call('POST', '/auth/logout', {
      cookie: cookieOf(v1Cookie as Answer),
      csrf: v1Cookie.json.csrf_token,
    });
    for (const body of [
      { scope: 'user', user_id: id },
      { scope: 'everyone' },
      { scope: 'everyone', confirm: 0 },
      { scope: first },
    ])
      await call('POST', '/v1/admin/logout', { ...service, body });
    await call('DELETE', `/v1/admin/users/${id}`, service);
    // A careless client's mistake: a secret in the path.
    for (const secret of [sess.sessionToken, v1.access_token, v1.refresh_token, cookie, token.access_token])
      for (const path of [`/api/users/${secret}`, `/v1/sessions/${secret}`, `/${secret}`])
        await call('GET', path.replace('|', '%7C'));
  }

  function find(where: string, text: string): string[] {
    const lower = text.toLowerCase();
    return [...secrets].flatMap((secret) =>
      spellings(secret)
        .filter((spelling) => lower.includes(spelling.toLowerCase()))
        .map(
          (spelling) =>
            `${where}: ${secret.slice(0, 12)}… as ${spelling.slice(0, 12)}… ${text.slice(Math.max(0, lower.indexOf(spelling.toLowerCase()) - 80)).slice(0, 120)}`,
        ),
    );
  }

  test('no secret is in the log, in an error, or in the database', async () => {
    await callWithKeys(call, 2);
    await callForOperators(call, PASSWORDS[0] ?? '');
    await wholeRun();
    await on.close();
    // Everything was there to be found: every row of the contract was called, and secrets of every kind were given out.
    const patterns = [...visited].map((one) =>
      one
        .replace(/\/(users|api-keys)\/\d+/, '/$1/{id}')
        .replace(/\/clients\/shop/, '/clients/{id}')
        .replace(/\/sessions\/[0-9a-f-]{36}/, '/sessions/{id}'),
    );
    const missing = ROWS.filter((row) => !patterns.includes(`${row.method.toUpperCase()} ${row.path}`)).map(
      (row) => row.path,
    );
    expect(missing).toEqual([]);
    for (const shape of [
      /^eyJ/,
      /^rt_/,
      /^cs_/,
      /^sess_/,
      /^curfew_ck_/,
      /^curfew_ok_/,
      /^\d+\|/,
      /^[\w-]{43}$/,
      /^[\w-]{20}$/,
    ])
      expect([...secrets].filter((secret) => shape.test(secret)).length, String(shape)).toBeGreaterThan(0);
    expect(secrets.size).toBeGreaterThan(60);
    expect(errors.length).toBeGreaterThan(100);
    expect(recorded.lines.length).toBeGreaterThan(300);
    expect(recorded.lines.some((line) => line.includes('a request failed'))).toBe(true);

    // The second part of a `<id>|<secret>`, and of a prefixed token, is the secret itself.
    for (const secret of Array.from(secrets)) {
      const bare = /^(?:\d+\||rt_|cs_|sess_|curfew_[co]k_)([\w-]{38,43})$/.exec(secret)?.[1];
      if (bare !== undefined) secrets.add(bare);
      const signature = /^eyJ[\w-]+\.[\w-]+\.([\w-]+)$/.exec(secret)?.[1];
      if (signature !== undefined) secrets.add(signature);
    }

    const found = [...find('log', recorded.text()), ...errors.flatMap((text) => find('error', text))];
    const { tables, hashes } = await withClient(url, async (client) => {
      const names = await client.query<{ name: string }>(
        `select table_name as name from information_schema.tables where table_schema = 'public'`,
      );
      const dumped: Record<string, string> = {};
      for (const { name } of names.rows) {
        const { rows } = await client.query<{ text: string }>(`select t::text as text from "${name}" t`);
        dumped[name] = rows.map((row) => row.text).join('\n');
      }
      const tokens = await client.query<{ hash: string }>(`select encode(hash, 'hex') as hash from tokens`);
      return { tables: dumped, hashes: new Set(tokens.rows.map((row) => row.hash)) };
    });
    expect(Object.keys(tables).length).toBeGreaterThan(8);
    for (const [name, text] of Object.entries(tables)) found.push(...find(`table ${name}`, text));
    expect(found).toEqual([]);

    // The search finds what exists, and tokens exist as SHA-256.
    const planted = randomBytes(32).toString('base64url');
    secrets.add(planted);
    expect(find('here', `x${Buffer.from(planted).toString('hex').toUpperCase()}y`)).toHaveLength(1);
    const stored = [...secrets].filter((secret) =>
      hashes.has(createHash('sha256').update(secret).digest('hex')),
    );
    expect(stored.length).toBeGreaterThan(10);
    expect(stored.filter((secret) => secret.startsWith('eyJ'))).toEqual([]);
  });
});
