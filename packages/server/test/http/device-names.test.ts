/** A device is named by its owner, for all of their sessions on it; a name is one line of plain text. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Caller,
  NEW_PASSWORD,
  openAuthority,
  routeBackend,
  SERVICE_KEY,
  type TestAuthority,
} from '../support.ts';
import { described } from './described.ts';
import { alive, cookieLogin, newUser, opened, v1Login } from './logins.ts';

describe('the name of a device', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend());
    call = described(on.call);
  });
  afterAll(() => on.close());

  const names = async (bearer: string): Promise<Record<string, string>> => {
    const { json } = await call('GET', '/v1/sessions', { bearer });
    return Object.fromEntries(
      json.sessions.map(({ id, device }: { id: string; device: { name: string } }) => [id, device.name]),
    );
  };

  test('covers every session on the device, and no other', async () => {
    const [{ id }, stranger] = [await newUser(call), await newUser(call)];
    const laptop = { device: { id: 'laptop' } };
    const [one, two, phone] = [
      await opened(call, id, laptop),
      await opened(call, id, laptop),
      await opened(call, id),
    ];
    const theirs = await opened(call, stranger.id, laptop);
    const { status, json } = await call('PATCH', `/v1/sessions/${two.sid}`, {
      bearer: phone.bearer,
      body: { name: 'Work laptop' },
    });
    expect([status, json]).toEqual([200, { id: two.sid, name: 'Work laptop' }]);
    expect(await names(phone.bearer)).toEqual({
      [one.sid]: 'Work laptop',
      [two.sid]: 'Work laptop',
      [phone.sid]: '',
    });
    expect(await names(theirs.bearer)).toEqual({ [theirs.sid]: '' });
    await call('PATCH', `/v1/sessions/${one.sid}`, { bearer: phone.bearer, body: { name: '' } });
    expect(Object.values(await names(phone.bearer))).toEqual(['', '', '']);
  });

  test('is kept for the next login on the device, through any family, also when no session is left', async () => {
    const [{ id, email }, stranger] = [await newUser(call), await newUser(call)];
    const laptop = { device: { id: 'laptop' } };
    const first = await opened(call, id, laptop);
    const rename = (on: { bearer: string; sid: string }, name: string): Promise<unknown> =>
      call('PATCH', `/v1/sessions/${on.sid}`, { bearer: on.bearer, body: { name } });
    const nameOf = async (of: { bearer: string; sid: string }): Promise<unknown> =>
      (await names(of.bearer))[of.sid];
    await rename(first, 'Work laptop');
    const second = await v1Login(call, email, laptop);
    expect(await nameOf(second)).toBe('Work laptop');
    // The newest session is over when the one before it is named: the newest name counts, not the newest session.
    await call('POST', '/v1/logout', { bearer: second.bearer });
    await rename(first, 'Old laptop');
    expect(await nameOf(await opened(call, id, laptop))).toBe('Old laptop');
    const { json } = await call('POST', '/v1/login', { body: { email, password: NEW_PASSWORD, ...laptop } });
    await call('POST', '/v1/logout', { bearer: json.access_token, body: { scope: 'all' } });
    const again = await v1Login(call, email, laptop);
    expect(await nameOf(again)).toBe('Old laptop');

    // Another device, no device, another user's of the same id, and a name from the client.
    expect(await nameOf(await v1Login(call, email, { device: { id: 'phone' } }))).toBe('');
    expect(await nameOf(await v1Login(call, email))).toBe('');
    expect(await nameOf(await opened(call, stranger.id, laptop))).toBe('');
    expect(await nameOf(await v1Login(call, stranger.email, laptop))).toBe('');
    const called = await v1Login(call, email, { device: { id: 'laptop', name: 'Kitchen' } });
    expect(await nameOf(called)).toBe('Kitchen');
    // A name that was taken away stays away.
    await rename(again, '');
    expect(await nameOf(await v1Login(call, email, laptop))).toBe('');
  });

  test('is refused for another user’s session, an ended one and an unknown one, with the same answer', async () => {
    // Devices of one name: the session is asked for, and not the device alone.
    const phone = { device: { id: 'phone' } };
    const [mine, theirs] = [
      await opened(call, (await newUser(call)).id, phone),
      await opened(call, (await newUser(call)).id, phone),
    ];
    const { id } = await newUser(call);
    const [over, open] = [await opened(call, id), await opened(call, id)];
    await call('POST', '/v1/logout', { bearer: over.bearer });
    const rename = async (bearer: string, sid: string): Promise<number> =>
      (await call('PATCH', `/v1/sessions/${sid}`, { bearer, body: { name: 'Mine' } })).status;
    expect(await rename(mine.bearer, theirs.sid)).toBe(404);
    expect(await rename(open.bearer, over.sid)).toBe(404);
    expect(await rename(open.bearer, '019a9f2c-5f6e-7c3a-9d52-8f2b7c1e4a60')).toBe(404);
    expect(await rename(over.bearer, over.sid)).toBe(401);
    expect(await names(theirs.bearer)).toEqual({ [theirs.sid]: '' });
    expect(await names(mine.bearer)).toEqual({ [mine.sid]: '' });
    expect(await alive(call, [mine, theirs, open])).toEqual([true, true, true]);
  });

  test.each([
    ['<script>alert(1)</script>', '<script>alert(1)</script>'],
    ['\u202eeman live\u202c', 'eman live'],
    ['\u2066a\u2069\u200e\u200f\u061cb', 'ab'],
    ['one\r\ntwo\u2028three\u0007', 'one two three'],
    ['  \t ', ''],
    ['👩‍💻 điện thoại 我的手机', '👩‍💻 điện thoại 我的手机'],
  ])('%j is stored as %j, from the naming or the login', async (given, kept) => {
    const { id } = await newUser(call);
    const { bearer, sid } = await opened(call, id);
    const { json } = await call('PATCH', `/v1/sessions/${sid}`, { bearer, body: { name: given } });
    expect(json.name).toBe(kept);
    expect(await names(bearer)).toEqual({ [sid]: kept });
    const login = await opened(call, id, { device: { id: 'x', name: given } } as object);
    expect((await names(bearer))[login.sid]).toBe(kept);
  });

  test('with half a surrogate pair is refused, from the naming or the login', async () => {
    const { id } = await newUser(call);
    const { bearer, sid } = await opened(call, id);
    const name = 'half \ud83d';
    for (const [method, path, caller, body] of [
      ['PATCH', `/v1/sessions/${sid}`, bearer, { name }],
      ['POST', '/v1/admin/sessions', SERVICE_KEY, { user_id: id, device: { id: 'x', name } }],
    ] as const) {
      const { status, json } = await call(method, path, { bearer: caller, body });
      expect([path, status, json.code, json.detail]).toEqual([
        path,
        400,
        'invalid_request',
        expect.stringContaining('name'),
      ]);
    }
    expect(await names(bearer)).toEqual({ [sid]: '' });
  });

  test('with a cookie requires the CSRF token', async () => {
    const { email } = await newUser(call);
    const { cookie, csrf } = await cookieLogin(call, email);
    const { json } = await call('GET', '/v1/session', { cookie });
    const path = `/v1/sessions/${json.session.id}`;
    expect((await call('PATCH', path, { cookie, body: { name: 'x' } })).status).toBe(403);
    expect((await call('PATCH', path, { cookie, csrf, body: { name: 'x' } })).status).toBe(200);
  });
});
