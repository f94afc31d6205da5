/** "My devices" of a user with very many. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, openAuthority, routeBackend, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { described } from './described.ts';
import { newUser, opened } from './logins.ts';

interface Page {
  sessions: { id: string; current: boolean }[];
  next: string | null;
  total: number;
}

describe('pages of my sessions', () => {
  let on: TestAuthority;
  let call: Caller;
  beforeAll(async () => {
    on = await openAuthority(routeBackend());
    call = described(on.call);
  });
  afterAll(() => on.close());

  async function withMany(count: number) {
    const { id } = await newUser(call);
    const mine = await opened(call, id);
    const { json } = await call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: id, count },
    });
    return { ...mine, others: json.sessions.map((one: { session: { id: string } }) => one.session.id) };
  }
  const page = async (bearer: string, query = ''): Promise<Page> =>
    (await call<Page>('GET', `/v1/sessions${query}`, { bearer })).json;

  test('of 201 sessions the caller’s, the oldest, is on the first page only, and each is found once', async () => {
    const { sid, bearer, others } = await withMany(200);
    const first = await page(bearer);
    expect(first.total).toBe(201);
    expect(first.sessions.filter(({ current }) => current).map(({ id }) => id)).toEqual([sid]);
    const second = await page(bearer, `?before=${first.next?.toUpperCase()}`);
    expect(second).toMatchObject({ next: null, total: 201 });
    const all = [...first.sessions, ...second.sessions].map(({ id }) => id);
    expect(new Set(all)).toEqual(new Set([sid, ...others]));
    expect(all).toHaveLength(201);
  });

  test('the caller’s session has its place by age', async () => {
    const { id } = await newUser(call);
    const sids: string[] = [];
    let bearer = '';
    for (let i = 0; i < 3; i++) {
      const session = await opened(call, id);
      sids.unshift(session.sid);
      if (i === 1) bearer = session.bearer;
    }
    expect((await page(bearer)).sessions.map(({ id: sid }) => sid)).toEqual(sids);
  });

  test('small pages reach every session once, also when the one at a page’s end is ended meanwhile', async () => {
    const { sid, bearer, others } = await withMany(7);
    const seen: string[] = [];
    let at = await page(bearer, '?limit=3');
    seen.push(...at.sessions.map(({ id }) => id));
    while (at.next) {
      await call('DELETE', `/v1/sessions/${at.next}`, { bearer });
      at = await page(bearer, `?limit=3&before=${at.next}`);
      seen.push(...at.sessions.map(({ id }) => id));
    }
    expect(new Set(seen)).toEqual(new Set([sid, ...others]));
    expect(seen).toHaveLength(8);
    expect((await page(bearer)).total).toBe(6);
  });

  test("another user's session cannot start a page", async () => {
    const { bearer } = await withMany(1);
    const { sid } = await opened(call, 2);
    expect(await page(bearer, `?before=${sid}`)).toMatchObject({ sessions: [], next: null, total: 2 });
    for (const query of ['?before=x', '?limit=0', '?limit=201', '?limit=1e1'])
      expect((await call('GET', `/v1/sessions${query}`, { bearer })).status).toBe(400);
  });
});
