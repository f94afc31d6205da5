/** Users of another system: an id of theirs beside ours. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createVerifier } from '@curfew/verifier';
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
import { startNode } from './following.ts';
import { newKey, newUser, opened, USER } from './logins.ts';

describe('external ids', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend());
    call = described(on.call);
  });
  afterAll(() => on.close());

  const admin = (
    method: string,
    path: string,
    body?: object,
    bearer = SERVICE_KEY,
  ): Promise<Answer<AnyJson>> => call(method, path, { bearer, ...(body && { body }) });
  let made = 0;
  const person = () => {
    const n = ++made;
    return { external_id: `u-${n}`, email: `person${n}@example.com`, name: `Person ${n}` };
  };
  const keyWith = async (scopes: string[], client_id?: string): Promise<string> =>
    (await newKey(call, { scopes, client_id })).secret;

  test('POST /v1/admin/users creates the user once, and returns it as it is from then on', async () => {
    const body = person();
    const first = await admin('POST', '/v1/admin/users', body);
    expect([first.status, first.json.user]).toMatchObject([201, { ...body, issuer: 'default' }]);
    const again = await admin('POST', '/v1/admin/users', {
      ...body,
      email: 'other@example.com',
      name: 'Other',
    });
    expect([again.status, again.json]).toEqual([200, first.json]);
  });

  test('the id is unique within its issuer', async () => {
    const body = person();
    const { json: a } = await admin('POST', '/v1/admin/users', body);
    const other = { ...body, email: person().email, issuer: 'crm' };
    const { status, json: b } = await admin('POST', '/v1/admin/users', other);
    expect([status, b.user.issuer, b.user.id === a.user.id]).toEqual([201, 'crm', false]);
  });

  test('an address that another user has is 409 and never linked', async () => {
    const { external_id } = person();
    const body = { external_id, email: USER.toUpperCase() };
    for (const answer of [
      await admin('POST', '/v1/admin/users', body),
      await admin('POST', '/v1/admin/sessions', { user: body }),
    ]) {
      expect([answer.status, answer.json.code]).toEqual([409, 'conflict']);
      expect(answer.json.field).toContain('email');
    }
    expect((await admin('GET', `/v1/admin/users?external_id=${external_id}`)).json.users).toEqual([]);
  });

  test('POST /v1/admin/sessions creates the user and opens the session in one call', async () => {
    const { external_id, email, name } = person();
    const user = { external_id, email, name };
    const { status, json } = await admin('POST', '/v1/admin/sessions', { user });
    expect(status).toBe(200);
    const found = (await admin('GET', `/v1/admin/users?external_id=${external_id}`)).json.users;
    expect(found).toMatchObject([{ id: json.session.user_id, ...user, role: 'user' }]);
    const again = await admin('POST', '/v1/admin/sessions', { user, count: 2 });
    expect(again.json.sessions.map((one: AnyJson) => one.session.user_id)).toEqual([
      found[0].id,
      found[0].id,
    ]);
    const path = `/v1/admin/sessions?external_id=${external_id}`;
    const sessions = async (more = ''): Promise<number> =>
      (await admin('GET', path + more)).json.sessions.length;
    expect(await sessions()).toBe(3);
    expect(await sessions('&issuer=default&client_id=default')).toBe(3);
    expect(await sessions(`&user_id=${found[0].id}`)).toBe(3);
    expect([await sessions('&issuer=crm'), await sessions('&user_id=1')]).toEqual([0, 0]);
    expect((await admin('GET', `/v1/admin/users?external_id=${external_id}&issuer=crm`)).json.users).toEqual(
      [],
    );
    for (const body of [{}, { user, user_id: 2 }])
      expect((await admin('POST', '/v1/admin/sessions', body)).status).toBe(400);
  });

  test('a disabled user gets no session, and a deleted one frees the id', async () => {
    const body = person();
    const { json } = await admin('POST', '/v1/admin/users', body);
    const path = `/v1/admin/users/${json.user.id}`;
    await admin('PATCH', path, { disabled: true });
    const refused = await admin('POST', '/v1/admin/sessions', { user: body });
    expect([refused.status, refused.json.field]).toEqual([404, 'user']);
    await admin('DELETE', path);
    const again = await admin('POST', '/v1/admin/sessions', { user: body });
    expect(again.status).toBe(200);
    expect(again.json.session.user_id).not.toBe(json.user.id);
  });

  test.each([
    ['external_id', ''],
    ['external_id', 'x'.repeat(256)],
    ['external_id', 'a b'],
    ['external_id', 'a\nb'],
    ['external_id', 'a\0'],
    ['external_id', 'ä'],
    ['external_id', 7],
    ['issuer', ''],
    ['issuer', 'x'.repeat(256)],
    ['issuer', '\t'],
  ])('a malformed %s (%j) is 400 with the field', async (field, value) => {
    const body = { ...person(), [field]: value };
    const { json: created } = await admin('POST', '/v1/admin/users', body);
    expect([created.code, created.field]).toEqual(['invalid_request', field]);
    const { json: started } = await admin('POST', '/v1/admin/sessions', { user: body });
    expect([started.code, started.field]).toEqual(['invalid_request', `user.${field}`]);
    if (typeof value !== 'string') return;
    const query = `?external_id=x&${new URLSearchParams({ [field]: value }).toString()}`;
    expect((await admin('GET', `/v1/admin/users${query}`)).status).toBe(400);
  });

  test('half a surrogate pair is refused', async () => {
    const body = '{"email":"half@example.com","external_id":"\\ud800"}';
    expect((await call('POST', '/v1/admin/users', { bearer: SERVICE_KEY, body })).status).toBe(400);
  });

  test('an administrator links an account that was there before, and removes the link', async () => {
    const { id } = await newUser(call);
    const { external_id } = person();
    const { external_id: taken } = person();
    await admin('POST', '/v1/admin/users', { ...person(), external_id: taken });
    const path = `/v1/admin/users/${id}`;
    expect((await admin('PATCH', path, { external_id, issuer: 'crm' })).json.user).toMatchObject({
      external_id,
      issuer: 'crm',
    });
    expect(
      (await admin('GET', `/v1/admin/users?external_id=${external_id}&issuer=crm`)).json.users[0].id,
    ).toBe(id);
    const conflict = await admin('PATCH', path, { external_id: taken });
    expect([conflict.status, conflict.json.field]).toEqual([409, 'external_id']);
    expect((await admin('PATCH', path, { external_id: null })).json.user).toMatchObject({
      external_id: null,
      issuer: null,
    });
    expect((await admin('PATCH', path, { issuer: 'crm' })).status).toBe(400);
    const key = await keyWith(['users'], 'default');
    const refused = await admin('PATCH', path, { external_id }, key);
    expect(refused.json.code).toBe('insufficient_scope');
  });

  test('a key without the scope users opens sessions of users who exist, and creates none', async () => {
    const known = person();
    await admin('POST', '/v1/admin/users', known);
    const key = await keyWith(['sessions:open']);
    expect((await admin('POST', '/v1/admin/sessions', { user: known }, key)).status).toBe(200);
    const refused = await admin('POST', '/v1/admin/sessions', { user: person() }, key);
    expect([refused.status, refused.json.code, refused.headers.get('www-authenticate')]).toEqual([
      403,
      'insufficient_scope',
      'Bearer error="insufficient_scope", scope="users"',
    ]);
    const wrong = await admin('POST', '/v1/admin/sessions', { user: known }, await keyWith(['users']));
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="sessions:open"',
    ]);
    const both = await keyWith(['sessions:open', 'users']);
    expect((await admin('POST', '/v1/admin/sessions', { user: person() }, both)).status).toBe(200);
  });

  test('a key below admin makes no administrator, and opens no session of one', async () => {
    const key = await keyWith(['sessions:open', 'users']);
    const body = { ...person(), role: 'admin' };
    for (const [path, asked] of [
      ['/v1/admin/users', body],
      ['/v1/admin/sessions', { user: body }],
    ] as const)
      expect((await admin('POST', path, asked, key)).json.code).toBe('insufficient_scope');
    expect((await admin('POST', '/v1/admin/users', body)).status).toBe(201);
    expect((await admin('POST', '/v1/admin/sessions', { user: body }, key)).json.code).toBe(
      'insufficient_scope',
    );
    expect((await admin('POST', '/v1/admin/sessions', { user: body })).status).toBe(200);
  });

  test('checks and introspection say it with its issuer beside the subject, and a check overwrites forged ones', async () => {
    const user = { ...person(), issuer: 'crm' };
    const headers = { 'Curfew-External-Id': 'forged', 'Curfew-External-Issuer': 'forged' };
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const transport of ['bearer', 'opaque', 'cookie']) {
      const { json } = await admin('POST', '/v1/admin/sessions', { user, transport });
      const text = json.access_token ?? json.session_token;
      const credential = text === undefined ? { cookie: json.cookie.value } : { bearer: text };
      for (let twice = 0; twice < 2; twice++) {
        const checked = await call('GET', '/v1/check', { ...credential, headers });
        expect(checked.headers.get('curfew-external-id')).toBe(user.external_id);
        expect(checked.headers.get('curfew-external-issuer')).toBe('crm');
        expect(checked.headers.get('curfew-subject')).toBe(String(json.session.user_id));
      }
      const body = `token=${encodeURIComponent(text ?? json.cookie.value)}`;
      const { json: said } = await call('POST', '/oauth/introspect', {
        bearer: SERVICE_KEY,
        body,
        headers: form,
      });
      expect(said).toMatchObject({
        active: true,
        external_id: user.external_id,
        external_issuer: 'crm',
      });
    }
    const { bearer } = await opened(call, 2);
    for (let twice = 0; twice < 2; twice++) {
      const checked = await call('GET', '/v1/check', { bearer, headers });
      expect(checked.headers.get('curfew-external-id')).toBe('');
      expect(checked.headers.get('curfew-external-issuer')).toBe('');
    }
  });

  test('a verifier has it with its issuer in its session, from the token and from the authority', async () => {
    const node = await startNode(await openAuthority(routeBackend()));
    const url = node.url.replace('ws:', 'http:').replace('/v1/feed', '');
    const verifier = createVerifier({
      authority: url,
      serviceKey: SERVICE_KEY,
      audience: 'http://localhost:8000',
    });
    await verifier.ready();
    const ours = person();
    // Another system gave the same id to somebody else.
    const theirs = { ...person(), external_id: ours.external_id, issuer: 'crm' };
    const subjects = new Set<string>();
    for (const transport of ['bearer', 'opaque'])
      for (const [body, externalId, externalIssuer] of [
        [{ user: ours }, ours.external_id, 'default'],
        [{ user: theirs }, ours.external_id, 'crm'],
        [{ user_id: 2 }, null, null],
      ] as const) {
        const asked = { bearer: SERVICE_KEY, body: { ...body, transport } };
        const { json } = await node.on.call('POST', '/v1/admin/sessions', asked);
        const text = String(json.access_token ?? json.session_token);
        for (let twice = 0; twice < 2; twice++) {
          const verified = await verifier.verify(text);
          expect(verified).toMatchObject({ ok: true, session: { externalId, externalIssuer } });
          if (verified.ok) subjects.add(verified.session.subject);
        }
      }
    expect(subjects.size).toBe(3);
    await verifier.close();
  });
});
