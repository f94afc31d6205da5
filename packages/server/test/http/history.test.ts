/** A user's past in the administration: every ended session, and every ending that reached one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, openAuthority, routeBackend, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { described } from './described.ts';
import { newUser, opened } from './logins.ts';

describe('the history of a user', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), { CURFEW_CLIENTS: '{"shop":{}}' });
    call = described(on.call);
  });
  afterAll(() => on.close());

  const logOut = async (body: object): Promise<void> => {
    const ask = (more: object) =>
      call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body: { ...body, ...more } });
    const { status, json } = await ask({});
    if (status === 409) expect((await ask({ confirm: json.count })).status).toBe(200);
    else expect(status).toBe(200);
  };
  const endings = async (userId: number, query = ''): Promise<string[]> => {
    const path = `/v1/admin/events?user_id=${userId}&type=sessions_ended${query}`;
    const { json } = await call('GET', path, { bearer: SERVICE_KEY });
    return json.events.map(({ scope }: { scope: string }) => scope);
  };

  test('has the endings of an application and of everyone that ended the user’s sessions, and no others', async () => {
    const users = [await newUser(call), await newUser(call), await newUser(call), await newUser(call)];
    const [both, plain, gone, late] = users.map(({ id }) => id) as [number, number, number, number];
    await opened(call, both, { client_id: 'shop' });
    await opened(call, both);
    await opened(call, plain);
    const left = await opened(call, gone, { client_id: 'shop' });
    await call('POST', '/v1/logout', { bearer: left.bearer });

    await logOut({ scope: 'client', client_id: 'shop' });
    await logOut({ scope: 'everyone' });
    await opened(call, late);
    await opened(call, late, { client_id: 'shop' });
    // All of these have ended, except the last one.
    await logOut({ scope: 'everyone' });
    await logOut({ scope: 'client', client_id: 'shop' });

    expect(await endings(both)).toEqual(['everyone', 'client']);
    expect(await endings(plain)).toEqual(['everyone']);
    expect(await endings(gone)).toEqual(['sessions']);
    expect(await endings(late)).toEqual(['everyone']);
    expect(await endings(both, '&limit=1')).toEqual(['everyone']);
    expect(await endings(both, '&actor=service&client_id=shop')).toEqual(['client']);
    const asLines = await call('GET', `/v1/admin/events?user_id=${both}&format=jsonl`, {
      bearer: SERVICE_KEY,
    });
    expect(
      asLines.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).scope),
    ).toEqual([null, null, null, 'client', 'everyone']);
  });

  test('lists only the user’s ended sessions, page by page', async () => {
    const { id } = await newUser(call);
    for (let i = 0; i < 7; i++) {
      const { sid } = await opened(call, id);
      if (i % 2 === 0) await logOut({ scope: 'sessions', sessions: [sid] });
    }
    const pages: number[] = [];
    const ended: { active: boolean; ended: object | null }[] = [];
    let before = '';
    do {
      const path = `/v1/admin/sessions?user_id=${id}&ended=only&limit=3${before}`;
      const { json } = await call('GET', path, { bearer: SERVICE_KEY });
      pages.push(json.sessions.length);
      ended.push(...json.sessions);
      before = json.next === null ? '' : `&before=${json.next}`;
    } while (before !== '');
    expect(pages).toEqual([3, 1]);
    expect(ended.every(({ active, ended: how }) => !active && how !== null)).toBe(true);
    const count = async (query: string): Promise<number> =>
      (await call('GET', `/v1/admin/sessions?user_id=${id}${query}`, { bearer: SERVICE_KEY })).json.sessions
        .length;
    expect([await count(''), await count('&ended=true')]).toEqual([3, 7]);
  });
});
