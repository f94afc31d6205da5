/**
 * What keys below `admin` can do to administrators and to other clients, and whom a client's key reads: every row that admits such a
 * key is called by every kind of key with every hostile input. Afterwards nothing of theirs may have changed, and no answer to a
 * client's key may show a user whom the client has nothing to do with.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KEY_SCOPES } from '../../src/domain/api-key.ts';
import type { CallerRule, KeyRule } from '../../src/domain/caller-rule.ts';
import {
  type AnyJson,
  type Caller,
  openAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described, ROWS } from './described.ts';
import { alive, newKey, newUser, type OpenSession, opened } from './logins.ts';

const service = { bearer: SERVICE_KEY };
const BELOW = KEY_SCOPES.filter((scope) => scope !== 'admin');
const KEYS = BELOW.flatMap((scope) => [
  { whose: 'operator', scopes: [scope] },
  { whose: 'client', scopes: [scope] },
]).concat([
  { whose: 'operator', scopes: BELOW },
  { whose: 'client', scopes: BELOW },
]);

interface Victims {
  admin: { id: number };
  user: { id: number };
  /** A user of another system, who uses another client. */
  stranger: { id: number; email: string; name: string; external: string };
  /** The administrator's, in another system. */
  external: string;
  /** The administrator's session with another client, and the user's with another client and with the key's own. */
  sessions: { admins: OpenSession; others: OpenSession; own: OpenSession; strangers: OpenSession };
}

type Attack = [path: string, body?: object, as?: 'form'];
/** By row: inputs that reach for an administrator, or for sessions of a client that is not `shop`. */
const ATTACKS: Record<string, (on: Victims) => Attack[]> = {
  createUser: ({ stranger: { email, external: external_id } }) => [
    ['', { email }],
    ['', { email, external_id }],
    ['', { email, external_id, issuer: 'crm' }],
    ['', { email: `${crypto.randomUUID()}@example.com`, role: 'admin' }],
    ['', { email: `${crypto.randomUUID()}@example.com`, role: 'admin', external_id: crypto.randomUUID() }],
  ],
  updateUser: ({ admin, user, stranger }) => [
    ...[{ name: 'Mallory' }, { workspace: 'x' }, { external_id: 'x', issuer: 'crm' }, { disabled: true }].map(
      (change): Attack => [String(stranger.id), change],
    ),
    ...[{ role: 'user' }, { disabled: true }, { name: 'Mallory' }, { workspace: 'x' }, { role: 'admin' }].map(
      (change): Attack => [String(admin.id), { ...change, confirm_last_administrator: true }],
    ),
    [String(user.id), { role: 'admin' }],
    [String(admin.id), { external_id: crypto.randomUUID() }],
    [String(admin.id), { external_id: null }],
    [String(user.id), { role: 'admin', name: 'x' }],
    [String(user.id), { disabled: true }],
  ],
  deleteUser: ({ admin, user }) => [
    [String(admin.id), { confirm_last_administrator: true }],
    [String(user.id), {}],
  ],
  resetPassword: ({ admin, user }) => [
    [String(admin.id), { password: 'a password of an attacker' }],
    [String(user.id), { password: 'a password of an attacker' }],
  ],
  startSession: ({ admin, user, external, stranger }) => [
    ['', { user_id: stranger.id }],
    ['', { user_id: stranger.id, client_id: 'shop', transport: 'cookie', count: 2 }],
    ...['crm', 'default', undefined].map(
      (issuer): Attack => [
        '',
        { user: { external_id: stranger.external, email: stranger.email, name: 'x', issuer } },
      ],
    ),
    ['', { user: { external_id: external, email: 'x@example.com' } }],
    ['', { user: { external_id: external, email: 'x@example.com', role: 'admin' }, client_id: 'shop' }],
    [
      '',
      {
        user: {
          external_id: crypto.randomUUID(),
          email: `${crypto.randomUUID()}@example.com`,
          role: 'admin',
        },
      },
    ],
    ['', { user_id: admin.id }],
    ['', { user_id: admin.id, client_id: 'shop' }],
    ['', { user_id: admin.id, client_id: 'shop', transport: 'cookie', count: 3 }],
    ['', { user_id: admin.id, client_id: 'default', transport: 'opaque' }],
    ['', { user_id: user.id, client_id: 'default' }],
    ['', { user_id: user.id, client_id: 'token' }],
  ],
  endSessions: ({ admin, user, stranger, sessions: { admins, others, own, strangers } }) =>
    [
      { scope: 'sessions', sessions: [others.sid, admins.sid] },
      { scope: 'sessions', sessions: [own.sid, others.sid, admins.sid] },
      { scope: 'user', user_id: admin.id },
      { scope: 'user', user_id: stranger.id, dry_run: true },
      { scope: 'grant', user_id: stranger.id, client_id: 'shop', dry_run: true },
      { scope: 'sessions', sessions: [own.sid, strangers.sid], dry_run: true },
      { scope: 'client', client_id: 'shop', dry_run: true },
      { scope: 'user', user_id: user.id },
      { scope: 'users', user_ids: [admin.id, user.id] },
      { scope: 'device', user_id: user.id, device_id: 'phone' },
      { scope: 'client', client_id: 'default' },
      { scope: 'grant', user_id: user.id, client_id: 'default' },
      { scope: 'grant', user_id: admin.id, client_id: 'default' },
      { scope: 'login', session: others.sid },
      { scope: 'tenant', tenant: 'default' },
      { scope: 'tenant', tenant: 'default', confirm: 3 },
      { scope: 'everyone' },
      { scope: 'everyone', confirm: 3 },
    ].map((body): Attack => ['', body]),
  introspectToken: ({ sessions }) =>
    Object.values(sessions).map(({ bearer }): Attack => ['', { token: bearer }, 'form']),
  // http/revoke-token.test.ts: a form, which no attack here sends.
  revokeToken: () => [],
};
/** Rows that read, and requests for a user whom a client's key may not see there. */
const READS: Record<string, (on: Victims) => Attack[]> = {
  listUsers: ({ stranger: { id, email, name, external } }) =>
    [
      '',
      'limit=1000',
      `after=${id - 1}&limit=1`,
      `query=${email}`,
      `query=${name}`,
      `query=${email}&issuer=crm`,
      `external_id=${external}`,
      `external_id=${external}&issuer=default`,
      `external_id=${external}&issuer=crm`,
      `external_id=${external}&issuer=crm&query=${email}`,
    ].map((query): Attack => [`?${query}`]),
  getUser: ({ stranger }) => [[String(stranger.id)]],
  listAllSessions: ({ stranger: { id, external } }) =>
    [
      'limit=1000',
      'ended=true&limit=1000',
      `user_id=${id}`,
      `user_id=${id}&client_id=default`,
      `external_id=${external}&issuer=crm`,
      `external_id=${external}&issuer=crm&client_id=shop&ended=true`,
      `external_id=${external}`,
    ].map((query): Attack => [`?${query}`]),
  // A WebSocket, which carries ids only.
  followEndings: () => [],
  getMetrics: () => [['']],
};

const keyRulesOf = (rule: CallerRule): KeyRule[] =>
  rule.who === 'dependent' ? rule.rules.flatMap(keyRulesOf) : 'key' in rule ? [rule.key] : [];
/** The rows that admit a key below `admin`. */
const OPEN = ROWS.filter(({ caller }) => keyRulesOf(caller).some(({ scope }) => scope !== 'admin'));

const formOf = (body: object = {}) => ({
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams({ ...body }).toString(),
});

describe('what keys below admin reach', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), {
      CURFEW_CLIENTS: '{"shop":{"audience":"https://shop.example"}}',
    });
    call = described(on.call);
  });
  afterAll(() => on.close());

  async function keyOf(whose: string, scopes: readonly string[]): Promise<string> {
    const client_id = whose === 'client' ? 'shop' : null;
    return (await newKey(call, { name: whose, scopes, client_id })).secret;
  }

  async function victims(): Promise<Victims> {
    const external = crypto.randomUUID();
    const about = { role: 'admin', name: 'Ada', external_id: external };
    const [admin, user] = [await newUser(call, about), await newUser(call)];
    const theirs = { name: `Stranger-${crypto.randomUUID()}`, external: `x-${crypto.randomUUID()}` };
    const { id, email } = await newUser(call, {
      name: theirs.name,
      external_id: theirs.external,
      issuer: 'crm',
    });
    const device = { id: 'phone' };
    return {
      admin,
      user,
      external,
      stranger: { id, email, ...theirs },
      sessions: {
        admins: await opened(call, admin.id),
        others: await opened(call, user.id, { device }),
        own: await opened(call, user.id, { client_id: 'shop', device }),
        strangers: await opened(call, id),
      },
    };
  }

  const accountOf = async (id: number): Promise<AnyJson> =>
    (await call('GET', `/v1/admin/users/${id}`, service)).json.user;
  const sessionsOf = async (id: number): Promise<string[]> =>
    (await call('GET', `/v1/admin/sessions?user_id=${id}&limit=1000`, service)).json.sessions
      .map(({ id: sid, client_id }: AnyJson) => `${client_id} ${sid}`)
      .sort();
  const administrators = async (): Promise<number[]> =>
    (await call('GET', '/v1/admin/users?limit=1000', service)).json.users
      .filter(({ role }: AnyJson) => role === 'admin')
      .map(({ id }: AnyJson) => id);

  test('every row that admits them has its attacks, or only reads', () => {
    expect(OPEN.map(({ name }) => name).filter((name) => !(name in ATTACKS) && !(name in READS))).toEqual([]);
    for (const { name, method } of OPEN) if (name in READS) expect([name, method]).toEqual([name, 'get']);
    expect(
      Object.keys({ ...ATTACKS, ...READS }).filter((name) => !OPEN.some((row) => row.name === name)),
    ).toEqual([]);
  });

  test.each(KEYS.map((key) => [`${key.whose}’s key, ${key.scopes.join(' ')}`, key] as const))(
    '%s touches no administrator, and a client’s key no session of another client',
    async (_name, { whose, scopes }) => {
      const bearer = await keyOf(whose, scopes);
      for (const row of OPEN) {
        const place = await victims();
        const { admin, user, sessions, stranger } = place;
        for (const [path, body, as] of { ...ATTACKS, ...READS }[row.name]?.(place) ?? []) {
          const before = {
            admin: await accountOf(admin.id),
            stranger: [await accountOf(stranger.id), await sessionsOf(stranger.id)],
            admins: await administrators(),
            sessions: await sessionsOf(admin.id),
          };
          const address = row.path.includes('{id}') ? row.path.replace('{id}', path) : row.path + path;
          const { status, text } = await call(row.method.toUpperCase(), address, {
            bearer,
            ...(as === 'form' ? formOf(body) : { body }),
          });
          const where = `${row.method} ${address} ${JSON.stringify(body)}: ${status}`;
          // An operator's key may end sessions of anybody, also an administrator's: that gives it nothing.
          const ends = whose === 'operator' && row.name === 'endSessions';
          const after = {
            admin: await accountOf(admin.id),
            // An operator's key opens sessions for anybody who is no administrator, and changes such accounts.
            stranger:
              whose === 'operator'
                ? before.stranger
                : [await accountOf(stranger.id), await sessionsOf(stranger.id)],
            admins: await administrators(),
            sessions: ends ? before.sessions : await sessionsOf(admin.id),
          };
          expect([where, after]).toEqual([where, before]);
          if (whose === 'operator') continue;
          const shown = [stranger.email, stranger.name, sessions.strangers.sid].filter((one) =>
            text.includes(one),
          );
          expect([where, shown]).toEqual([where, []]);
          expect([where, await alive(call, [sessions.others, sessions.admins])]).toEqual([
            where,
            [true, true],
          ]);
          const theirs = (await sessionsOf(user.id)).filter((one) => !one.startsWith('shop '));
          expect([where, theirs]).toEqual([where, [`default ${sessions.others.sid}`]]);
          expect([where, (await accountOf(user.id)).disabled_at]).toEqual([where, null]);
        }
      }
    },
    60_000,
  );

  test('a client’s key sees the sessions and introspects the audience of its client only', async () => {
    const { user, sessions } = await victims();
    const bearer = await keyOf('client', BELOW);
    const list = (query: string) => call('GET', `/v1/admin/sessions?${query}`, { bearer });
    for (const query of ['limit=1000', `user_id=${user.id}`, 'client_id=shop&ended=true']) {
      const found = (await list(query)).json.sessions.map(({ client_id }: AnyJson) => client_id);
      expect([query, [...new Set(found)]]).toEqual([query, ['shop']]);
    }
    expect((await list('client_id=default')).json).toMatchObject({
      code: 'insufficient_scope',
      field: 'client_id',
    });
    const introspect = async (token: string, audience?: string) => {
      const form = formOf({ token, ...(audience === undefined ? {} : { audience }) });
      return (await call('POST', '/oauth/introspect', { bearer, ...form })).json;
    };
    expect(await introspect(sessions.own.bearer)).toMatchObject({ active: true, client_id: 'shop' });
    expect(await introspect(sessions.own.bearer, 'https://shop.example')).toMatchObject({ active: true });
    expect(await introspect(sessions.own.bearer, 'http://localhost:8000')).toEqual({ active: false });
    expect(await introspect(sessions.others.bearer)).toEqual({ active: false });
    expect(await introspect(sessions.others.bearer, 'http://localhost:8000')).toEqual({ active: false });
  });

  test('clients of one audience introspect each other’s credentials, but neither list nor end their sessions', async () => {
    const { user } = await victims();
    const body = { client_id: 'kiosk', name: 'Kiosk', audience: 'https://shop.example' };
    expect((await call('POST', '/v1/admin/clients', { ...service, body })).status).toBe(201);
    const kiosk = await opened(call, user.id, { client_id: 'kiosk' });
    const bearer = await keyOf('client', BELOW);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const form = new URLSearchParams({ token: kiosk.bearer }).toString();
    const { json } = await call('POST', '/oauth/introspect', { bearer, headers, body: form });
    expect(json).toMatchObject({ active: true, client_id: 'kiosk', aud: 'https://shop.example' });
    const listed = await call('GET', `/v1/admin/sessions?user_id=${user.id}`, { bearer });
    expect(listed.json.sessions.map(({ client_id }: AnyJson) => client_id)).not.toContain('kiosk');
    const named = { scope: 'sessions', sessions: [kiosk.sid] };
    await call('POST', '/v1/admin/logout', { bearer, body: named });
    await call('POST', '/oauth/revoke', { bearer, headers, body: form });
    expect(await alive(call, [kiosk])).toEqual([true]);
  });

  test('a client’s key opens and ends sessions of its client, and previews no others', async () => {
    const { user, sessions } = await victims();
    const bearer = await keyOf('client', BELOW);
    const started = (await call('POST', '/v1/admin/sessions', { bearer, body: { user_id: user.id } })).json;
    expect(started.session.client_id).toBe('shop');
    const named = { scope: 'sessions', sessions: [started.session.id, sessions.others.sid] };
    const logOut = (body: object) => call('POST', '/v1/admin/logout', { bearer, body });
    expect((await logOut({ ...named, dry_run: true })).json).toMatchObject({
      count: 1,
      sample: [{ id: started.session.id }],
    });
    expect((await logOut({ scope: 'user', user_id: user.id, dry_run: true })).status).toBe(403);
    expect((await logOut(named)).json).toMatchObject({ ended: 1, confirmed: true });
    expect(await alive(call, [sessions.others, sessions.own])).toEqual([true, true]);
    const grant = { scope: 'grant', user_id: user.id, client_id: 'shop' };
    expect((await logOut(grant)).json).toMatchObject({ ended: 1, confirmed: true });
    const another = await opened(call, user.id, { client_id: 'shop' });
    expect((await logOut({ scope: 'client', client_id: 'shop' })).json.ended).toBeGreaterThan(0);
    expect(await alive(call, [another])).toEqual([false]);
    expect(await alive(call, [sessions.others, sessions.own])).toEqual([true, false]);
  });

  test('a client’s key with the scope users makes, reads and renames users', async () => {
    const bearer = await keyOf('client', ['users']);
    const email = `${crypto.randomUUID()}@example.com`;
    const made = await call('POST', '/v1/admin/users', { bearer, body: { email } });
    expect(made.status).toBe(201);
    const path = `/v1/admin/users/${made.json.user.id}`;
    expect((await call('PATCH', path, { bearer, body: { name: 'Grace' } })).json.user.name).toBe('Grace');
    expect((await call('GET', path, { bearer })).json.user).toMatchObject({ email, name: 'Grace' });
  });

  test('a client’s key with the scope users undoes no disabling, and keeps no password to an external id', async () => {
    const bearer = await keyOf('client', ['users']);
    const { user } = await victims();
    const path = `/v1/admin/users/${user.id}`;
    expect((await call('PATCH', path, { ...service, body: { disabled: true } })).status).toBe(200);
    for (const change of [{ disabled: false }, { role: 'user' }, { name: 'x', disabled: false }])
      expect([change, (await call('PATCH', path, { bearer, body: change })).status]).toEqual([change, 403]);
    expect((await call('GET', path, service)).json.user.disabled_at).not.toBeNull();
    const person = { email: `${crypto.randomUUID()}@example.com`, external_id: crypto.randomUUID() };
    const made = await call('POST', '/v1/admin/users', {
      bearer,
      body: { ...person, password: 'a long password of Mallory' },
    });
    expect([made.status, made.json]).toMatchObject([403, { field: 'password' }]);
    expect((await call('POST', '/v1/admin/users', { bearer, body: person })).status).toBe(201);
  });

  test('no key below admin is told who the last administrator is', async () => {
    const users = (await call('GET', '/v1/admin/users?limit=1000', service)).json.users as AnyJson[];
    const admins = users.filter(({ role }) => role === 'admin');
    for (const { id } of admins.slice(1))
      await call('DELETE', `/v1/admin/users/${id}`, { ...service, body: {} });
    const last = `/v1/admin/users/${admins[0]?.id}`;
    expect((await call('DELETE', last, { ...service, body: {} })).json.code).toBe('last_administrator');
    for (const whose of ['operator', 'client']) {
      const bearer = await keyOf(whose, ['users']);
      for (const [method, body] of [
        ['DELETE', {}],
        ['PATCH', { role: 'user' }],
        ['PATCH', { disabled: true }],
      ] as const)
        expect([whose, body, (await call(method, last, { bearer, body })).json.code]).toEqual([
          whose,
          body,
          'insufficient_scope',
        ]);
    }
  });
});
