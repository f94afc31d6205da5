/** Write requests of /v1 reject unknown members; the four contracts ignore them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AnyJson,
  type Caller,
  openAuthority,
  PASSWORD,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { type DescribedRow, described, ROWS } from './described.ts';
import { alive, newUser, opened } from './logins.ts';

const WRITES = ROWS.filter((row) => row.path.startsWith('/v1/') && row.method !== 'get');
const exampleOf = (row: DescribedRow) =>
  row.request?.body?.content['application/json']?.example as Record<string, unknown>;

describe('strict bodies', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend());
    call = described(on.call);
  });
  afterAll(() => on.close());

  const newestPosition = async (): Promise<number> =>
    (await call('GET', '/v1/admin/events?limit=1', { bearer: SERVICE_KEY })).json.events[0].position;

  /** Asks as an authorized caller: an answer of 401 or 403 would prove nothing. */
  async function ask(row: DescribedRow, query: string, body: string) {
    const bearer = row.path.startsWith('/v1/admin') ? SERVICE_KEY : (await opened(call, 2)).bearer;
    const path = row.path.replace('{id}', /\/(users|api-keys)\//.test(row.path) ? '2' : crypto.randomUUID());
    const before = await newestPosition();
    const { status, json } = await call(row.method.toUpperCase(), path + query, { bearer, body });
    expect(await newestPosition()).toBe(before);
    return [status, json.code, json.field];
  }

  test.each(WRITES.map((row) => [`${row.method.toUpperCase()} ${row.path}`, row] as const))(
    '%s refuses an unknown member, a repeated one and an unknown parameter, and does nothing',
    async (_name, row) => {
      const example = exampleOf(row);
      expect(example).toBeDefined();
      const with_ = (more: string) =>
        JSON.stringify(example).replace(/^\{/, `{${more}${Object.keys(example).length > 0 ? ',' : ''}`);
      for (const name of ['dry_rum', 'constructor', '__proto__', 'toString'])
        expect(await ask(row, '', with_(`"${name}":true`))).toEqual([400, 'invalid_request', name]);
      expect(await ask(row, '', with_('"note":"a","n\\u006fte":"b"'))).toEqual([
        400,
        'invalid_request',
        'note',
      ]);
      expect(await ask(row, '?force=1', JSON.stringify(example))).toEqual([400, 'invalid_request', 'force']);
    },
  );

  test('an unknown or repeated member of a nested object is refused with its path', async () => {
    for (const [device, field] of [
      ['{"id":"laptop-1","colour":"red"}', 'device.colour'],
      ['{"id":"laptop-1","id":"laptop-2"}', 'id'],
    ]) {
      const body = `{"email":"test@example.com","password":"${PASSWORD}","device":${device}}`;
      expect((await call('POST', '/v1/login', { body })).json).toMatchObject({ status: 400, field });
    }
  });

  test('the same member in two objects, or as a value, is no repetition', async () => {
    const body = `{"email":"test@example.com","password":"${PASSWORD}","device":{"id":"email","name":"{\\"id\\":1,\\"id\\":2}"}}`;
    expect((await call('POST', '/v1/login', { body })).status).toBe(200);
  });

  test('every object in a described write body is closed', async () => {
    const { json } = await call('GET', '/openapi.json');
    const open: string[] = [];
    const look = (at: string, schema: AnyJson): void => {
      if (schema.$ref) return look(at, json.components.schemas[schema.$ref.split('/').at(-1)]);
      if (schema.type === 'object' && schema.additionalProperties !== false) open.push(at);
      for (const [name, inner] of Object.entries(schema.properties ?? {})) look(`${at}.${name}`, inner);
      for (const list of [schema.oneOf, schema.anyOf, schema.allOf, [schema.items]])
        for (const inner of list ?? []) if (inner) look(at, inner);
    };
    for (const { method, path } of WRITES) {
      const schema = json.paths[path][method].requestBody?.content['application/json']?.schema;
      expect([path, schema !== undefined]).toEqual([path, true]);
      look(`${method} ${path}`, schema);
    }
    expect(open).toEqual([]);
    expect(WRITES.length).toBeGreaterThan(10);
  });

  test('the four contracts ignore unknown members', async () => {
    const more = { dry_run: true, device: { x: 1 } };
    const credentials = { email: 'test@example.com', username: 'test@example.com', password: PASSWORD };
    for (const path of ['/auth/login', '/api/auth/login', '/api/v1/auth/login'])
      expect((await call('POST', path, { body: { ...credentials, ...more } })).status).toBe(200);
    const twice = `{"email":"x@example.com","email":"test@example.com","password":"${PASSWORD}"}`;
    expect((await call('POST', '/auth/login?x=1', { body: twice })).status).toBe(200);
  });

  describe('dry_run', () => {
    test.each(['sessions', 'user', 'users', 'device', 'client', 'everyone'])(
      'scope %s counts, lists some, and ends nothing',
      async (scope) => {
        const { id } = await newUser(call);
        const sessions = [];
        for (let i = 0; i < 12; i++)
          sessions.push(await opened(call, id, { client_id: 'token', device: { id: `d${i % 2}` } }));
        const body = {
          sessions: { sessions: sessions.map(({ sid }) => sid.toUpperCase()) },
          user: { user_id: id },
          users: { user_ids: [id] },
          device: { user_id: id, device_id: 'd1' },
          client: { client_id: 'token' },
          everyone: {},
        }[scope];
        const before = await newestPosition();
        const dry = await call('POST', '/v1/admin/logout', {
          bearer: SERVICE_KEY,
          body: { scope, ...body, dry_run: true, note: 'a look' },
        });
        expect(dry).toMatchObject({ status: 200, json: { dry_run: true } });
        expect(await newestPosition()).toBe(before);
        expect(await alive(call, sessions)).toEqual(sessions.map(() => true));
        expect(dry.json.sample.length).toBe(scope === 'device' ? 6 : 10);
        expect(sessions.map(({ sid }) => sid)).toContain(dry.json.sample[0].id);
        const { count } = dry.json;
        const done = await call('POST', '/v1/admin/logout', {
          bearer: SERVICE_KEY,
          body: { scope, ...body, dry_run: false, ...(scope === 'everyone' ? { confirm: count } : {}) },
        });
        expect(done.json).toMatchObject({ ended: count, confirmed: true });
      },
    );

    test.each(['this', 'others', 'all', 'selected', 'device'])(
      'scope %s of the user’s own sessions counts, and ends nothing',
      async (scope) => {
        const { id } = await newUser(call);
        const stranger = await opened(call, 2);
        const [mine, ...others] = [
          await opened(call, id, { device: { id: 'laptop' } }),
          await opened(call, id, { device: { id: 'laptop' } }),
          await opened(call, id, { device: { id: 'phone' } }),
        ] as const;
        const body = {
          scope,
          ...(scope === 'selected' ? { sessions: [others[0].sid, stranger.sid] } : {}),
        };
        const ask = (dry_run: boolean) =>
          call('POST', '/v1/logout', { bearer: mine.bearer, body: { ...body, dry_run } });
        const { json } = await ask(true);
        expect(json).toMatchObject({ dry_run: true, count: expect.any(Number) });
        expect(json.sample.map((view: { id: string }) => view.id)).not.toContain(stranger.sid);
        expect(json.count).toBe(json.sample.length);
        expect(await alive(call, [mine, ...others, stranger])).toEqual([true, true, true, true]);
        expect((await ask(false)).json.ended).toBe(json.count);
      },
    );
  });

  describe('note', () => {
    const noteOf = async () =>
      (await call('GET', '/v1/admin/events?limit=1', { bearer: SERVICE_KEY })).json.events[0].details?.note;

    test('goes into an administrator’s event, without control and bidi characters', async () => {
      const { id } = await newUser(call);
      const { sid } = await opened(call, id);
      for (const target of [
        { scope: 'sessions', sessions: [sid] },
        { scope: 'user', user_id: id },
        { scope: 'users', user_ids: [id] },
        { scope: 'device', user_id: id, device_id: 'x' },
        { scope: 'client', client_id: 'nobody' },
      ]) {
        const note = `stolen\u202e \nlaptop ${target.scope}`;
        await call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { ...target, note } });
        expect(await noteOf()).toBe(`stolen  laptop ${target.scope}`);
      }
    });

    test('goes into the event of a change, a deletion, a reset, a new user and a rotation', async () => {
      const { id } = await newUser(call, { note: 'new' });
      expect(await noteOf()).toBe('new');
      const ways: [string, string, object][] = [
        ['PATCH', `/v1/admin/users/${id}`, { name: 'x' }],
        ['PATCH', `/v1/admin/users/${id}`, { disabled: true }],
        ['POST', `/v1/admin/users/${id}/password`, {}],
        ['DELETE', `/v1/admin/users/${id}`, {}],
        ['POST', '/v1/admin/keys/rotate', {}],
      ];
      for (const [method, path, body] of ways) {
        const note = `${method} ${path}`;
        const { status } = await call(method, path, { bearer: SERVICE_KEY, body: { ...body, note } });
        expect([note, status < 300]).toEqual([note, true]);
        expect(await noteOf()).toBe(note);
      }
    });

    test('goes into the event of the user’s own logout, up to 500 characters', async () => {
      const note = '\u{1F512}'.repeat(500);
      const { bearer } = await opened(call, 2);
      const other = await opened(call, 2);
      await call('DELETE', `/v1/sessions/${other.sid}`, { bearer, body: { note: 'lost' } });
      expect(await noteOf()).toBe('lost');
      const tooLong = await call('POST', '/v1/logout', { bearer, body: { note: `${note}x` } });
      expect(tooLong.json).toMatchObject({ field: 'note', detail: expect.stringContaining('at most 500') });
      await call('POST', '/v1/logout', { bearer, body: { note } });
      expect(await noteOf()).toBe(note);
    });
  });
});
