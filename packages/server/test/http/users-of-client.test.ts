/** Whom the API keys of a client reach: users of its external issuers, users whom its keys created, and users with its sessions. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  type AnyJson,
  type Caller,
  openAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { newKey, newUser, opened } from './logins.ts';

type Named = { external_id: string; issuer?: string };
type Request = [method: string, path: string, body?: object];
/** By row that takes an issuer of an external id from a client's key: a request, and the field that names the issuer. */
const NAMING: Record<string, { field: string; ask: (user: Named) => Request }> = {
  listUsers: {
    field: 'issuer',
    ask: (user) => ['GET', `/v1/admin/users?${new URLSearchParams({ ...user }).toString()}`],
  },
  listAllSessions: {
    field: 'issuer',
    ask: (user) => ['GET', `/v1/admin/sessions?${new URLSearchParams({ ...user }).toString()}`],
  },
  createUser: {
    field: 'issuer',
    ask: (user) => ['POST', '/v1/admin/users', { ...user, email: `${user.external_id}@example.com` }],
  },
  startSession: {
    field: 'user.issuer',
    ask: (user) => [
      'POST',
      '/v1/admin/sessions',
      { user: { ...user, email: `${user.external_id}@example.com` } },
    ],
  },
};
/** Rows where a client's key may name no external id at all. */
const NOT_FOR_CLIENTS = ['updateUser'];

describe('the users of a client', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend());
    call = described(on.call);
  });
  afterAll(() => on.close());

  const ask = (bearer: string, [method, path, body]: Request): Promise<Answer<AnyJson>> =>
    call(method, path, { bearer, ...(body && { body }) });
  const admin = (...request: Request) => ask(SERVICE_KEY, request);
  const newId = () => `u-${crypto.randomUUID()}`;
  const keyOf = async (client_id: string | null): Promise<string> => {
    const scopes = ['sessions:open', 'sessions:end', 'users'];
    return (await newKey(call, { scopes, client_id })).secret;
  };
  /** A client and a key of it. */
  async function clientOf(external_issuers?: string[]): Promise<{ client_id: string; key: string }> {
    const client_id = `c-${crypto.randomUUID()}`;
    const made = await admin('POST', '/v1/admin/clients', {
      client_id,
      ...(external_issuers && { external_issuers }),
    });
    expect(made.status).toBe(201);
    return { client_id, key: await keyOf(client_id) };
  }
  const readAs = async (key: string, id: number): Promise<number> =>
    (await ask(key, ['GET', `/v1/admin/users/${id}`])).status;

  test('every row that takes an issuer is tested here', async () => {
    const { json } = await call('GET', '/openapi.json');
    const rows = Object.values(json.paths as Record<string, Record<string, AnyJson>>)
      .flatMap((methods) => Object.values(methods))
      .filter(({ parameters = [], requestBody }) => {
        const query = (parameters as AnyJson[]).some(({ name }) => name === 'issuer');
        return query || /"properties":\{[^]*"issuer":/.test(JSON.stringify(requestBody ?? {}));
      });
    expect(rows.map(({ operationId }) => String(operationId)).sort()).toEqual(
      [...Object.keys(NAMING), ...NOT_FOR_CLIENTS].sort(),
    );
  });

  test.each(Object.entries(NAMING))('%s: a key names the issuers of its client only', async (_row, named) => {
    const { client_id, key } = await clientOf(['crm', 'hr']);
    const operators = await keyOf(null);
    for (const issuer of ['crm', 'hr']) {
      const request = named.ask({ external_id: newId(), issuer });
      expect([request, (await ask(key, request)).status]).toEqual([request, expect.toBeOneOf([200, 201])]);
    }
    // Of several issuers it must name one.
    for (const issuer of ['default', 'CRM', 'crm,hr', undefined]) {
      const external_id = newId();
      const request = named.ask({ external_id, ...(issuer !== undefined && { issuer }) });
      const { status, json } = await ask(key, request);
      expect([request, status, json]).toMatchObject([
        request,
        403,
        {
          code: 'insufficient_scope',
          field: named.field,
          detail: `Keys of the application "${client_id}" cannot name the issuer "${issuer ?? 'default'}". The external issuers of the application: "crm", "hr".`,
        },
      ]);
      const found = `/v1/admin/users?external_id=${external_id}&issuer=${issuer ?? 'default'}`;
      expect((await admin('GET', found)).json.users).toEqual([]);
      expect((await ask(operators, request)).status).toBeLessThan(300);
    }
    await admin('PATCH', `/v1/admin/clients/${client_id}`, { external_issuers: [] });
    const refused = await ask(key, named.ask({ external_id: newId(), issuer: 'crm' }));
    expect([refused.status, refused.json.detail]).toEqual([
      403,
      `Keys of the application "${client_id}" cannot name the issuer "crm". The external issuers of the application: none.`,
    ]);
  });

  test.each([
    ['the only issuer of its client', ['crm'], 'crm'],
    ['"default" among several', ['crm', 'default'], 'default'],
    ['"default" of a client of which nothing is said', undefined, 'default'],
  ])('a key that names no issuer means %s', async (_name, issuers, issuer) => {
    const { key } = await clientOf(issuers);
    const external_id = newId();
    const user = { external_id, email: `${external_id}@example.com` };
    const made = await ask(key, ['POST', '/v1/admin/users', user]);
    expect([made.status, made.json.user]).toMatchObject([201, { external_id, issuer }]);
    const { json } = await ask(key, ['POST', '/v1/admin/sessions', { user }]);
    expect(json.session.user_id).toBe(made.json.user.id);
    for (const list of ['users', 'sessions'])
      expect(
        (await ask(key, ['GET', `/v1/admin/${list}?external_id=${external_id}`])).json[list],
      ).toHaveLength(1);
  });

  test('two clients whose systems use one id reach a user each, and not the other’s', async () => {
    const [a, b] = [await clientOf(['a']), await clientOf(['b'])];
    const external_id = newId();
    const idOf = async ({ key }: { key: string }, letter: string): Promise<number> => {
      const user = { external_id, email: `${letter}-${external_id}@example.com` };
      return (await ask(key, ['POST', '/v1/admin/sessions', { user }])).json.session.user_id;
    };
    const [ofA, ofB] = [await idOf(a, 'a'), await idOf(b, 'b')];
    expect(ofA).not.toBe(ofB);
    expect(await Promise.all([readAs(a.key, ofA), readAs(b.key, ofB)])).toEqual([200, 200]);
    expect(await Promise.all([readAs(a.key, ofB), readAs(b.key, ofA)])).toEqual([404, 404]);
    const foreign: Request = ['POST', '/v1/admin/sessions', { user_id: ofB }];
    const unknown: Request = ['POST', '/v1/admin/sessions', { user_id: 999_999 }];
    const answers = [await ask(a.key, foreign), await ask(a.key, unknown)];
    expect(answers.map(({ status }) => status)).toEqual([404, 404]);
    expect(answers[0]?.json).toEqual(answers[1]?.json);
    const rename: Request = ['PATCH', `/v1/admin/users/${ofB}`, { name: 'Mallory' }];
    expect((await ask(a.key, rename)).status).toBe(404);
    expect((await ask(b.key, rename)).json.user.name).toBe('Mallory');
  });

  test('a user is reached from the first session with the client on, also after its end', async () => {
    const { client_id, key } = await clientOf();
    const { id } = await newUser(call);
    await opened(call, id);
    expect(await readAs(key, id)).toBe(404);
    await opened(call, id, { client_id });
    expect(await readAs(key, id)).toBe(200);
    await admin('POST', '/v1/admin/logout', { scope: 'user', user_id: id });
    expect(await readAs(key, id)).toBe(200);
    expect((await ask(key, ['POST', '/v1/admin/sessions', { user_id: id }])).status).toBe(200);
    expect(await readAs((await clientOf()).key, id)).toBe(404);
  });

  test('a user of an external issuer is reached while the client has that issuer', async () => {
    const { client_id, key } = await clientOf(['crm', 'hr']);
    const { id } = await newUser(call, { external_id: newId(), issuer: 'hr' });
    expect(await readAs(key, id)).toBe(200);
    await admin('PATCH', `/v1/admin/clients/${client_id}`, { external_issuers: ['crm'] });
    expect(await readAs(key, id)).toBe(404);
    expect((await ask(key, ['POST', '/v1/admin/sessions', { user_id: id }])).status).toBe(404);
  });

  test('a user is reached by the keys of the client whose key created the account', async () => {
    const [a, b] = [await clientOf([]), await clientOf([])];
    const body = { email: `${newId()}@example.com` };
    const { id } = (await ask(a.key, ['POST', '/v1/admin/users', body])).json.user;
    const another = await keyOf(a.client_id);
    expect([await readAs(a.key, id), await readAs(another, id), await readAs(b.key, id)]).toEqual([
      200, 200, 404,
    ]);
    expect((await ask(another, ['POST', '/v1/admin/sessions', { user_id: id }])).status).toBe(200);
    expect((await ask(b.key, ['POST', '/v1/admin/sessions', { user_id: id }])).status).toBe(404);
  });

  test('a client’s key searches no users, and is told what to give', async () => {
    const { key } = await clientOf();
    for (const query of ['', '?query=a', '?issuer=default', '?after=1&limit=1']) {
      const { status, json } = await ask(key, ['GET', `/v1/admin/users${query}`]);
      expect([query, status, json]).toMatchObject([
        query,
        403,
        { code: 'insufficient_scope', field: 'external_id' },
      ]);
    }
    expect((await ask(await keyOf(null), ['GET', '/v1/admin/users?limit=1'])).json.users).toHaveLength(1);
  });
});
