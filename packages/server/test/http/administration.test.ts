/** The administration's users, the sessions that services open, and the log. For endings: ending-as-administrator.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, openAuthority, routeBackend, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { described } from './described.ts';
import { newUser, opened } from './logins.ts';

const service = { bearer: SERVICE_KEY };

describe('users, sessions and the log', () => {
  let on: TestAuthority;
  let call: Caller;
  let ada: { id: number; email: string };
  beforeAll(async () => {
    on = await openAuthority(routeBackend(), { CURFEW_CLIENTS: '{"shop":{}}' });
    call = described(on.call);
    ada = await newUser(call);
  });
  afterAll(() => on.close());

  test('an address can be used once, in any case', async () => {
    const taken = await call('POST', '/v1/admin/users', {
      bearer: SERVICE_KEY,
      body: { email: ada.email.toUpperCase() },
    });
    expect([taken.status, taken.json]).toMatchObject([409, { code: 'conflict', field: 'email' }]);
  });

  test('users are found by part of the name or address, page by page', async () => {
    const query = async (text: string): Promise<{ users: { id: number }[]; next: number | null }> =>
      (await call('GET', `/v1/admin/users?${text}`, service)).json;
    await newUser(call, { name: '100% Ünique_Name' });
    for (const part of ['query=%25%20%C3%9Cnique_', 'query=NAME', 'query=%C3%9CNIQUE_n'])
      expect([part, (await query(part)).users.length]).toEqual([part, 1]);
    expect((await query('query=100%25')).users).toHaveLength(1);
    // Wildcards are literal characters.
    expect((await query('query=1%25%25')).users).toHaveLength(0);
    const first = await query('limit=2');
    expect(first.users.map((one) => one.id)).toEqual([1, 2]);
    const second = await query(`limit=2&after=${first.next}`);
    expect(second.users.every((one) => one.id > 2)).toBe(true);
  });

  test('a service opens sessions of every kind', async () => {
    const open = (more: object) =>
      call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body: { user_id: ada.id, ...more } });
    const bearer = (await open({ device: { id: 'tv', name: 'Television' } })).json;
    expect((await call('GET', '/v1/session', { bearer: bearer.access_token })).json.session).toMatchObject({
      device_id: 'tv',
      user_id: ada.id,
    });
    const opaque = (await open({ transport: 'opaque' })).json;
    expect((await call('GET', `/api/users/${ada.id}`, { bearer: opaque.session_token })).status).toBe(200);
    const cookie = (await open({ transport: 'cookie' })).json;
    expect(cookie.cookie.name).toBe('curfew_session');
    expect(
      (await call('POST', '/auth/logout', { cookie: cookie.cookie.value, csrf: cookie.csrf_token })).status,
    ).toBe(200);
    expect((await open({ client_id: 'nothing' })).json).toMatchObject({
      code: 'invalid_request',
      field: 'client_id',
    });
    expect((await open({ user_id: 4711 })).json).toMatchObject({ code: 'not_found', field: 'user_id' });
    expect(
      (await call('GET', `/v1/admin/events?limit=1&user_id=${ada.id}&type=session_started`, service)).json
        .events[0].actor,
    ).toBe('service');
  });

  test('the log is filtered, and paged in both directions', async () => {
    // More than two pages of events.
    for (let i = 0; i < 12; i++) await opened(call, ada.id);
    const page = async (
      query: string,
    ): Promise<{ events: { position: number; type: string }[]; next: number | null }> =>
      (await call('GET', `/v1/admin/events?${query}`, service)).json;
    const newestFirst = await page('limit=5');
    const positions = newestFirst.events.map((event) => event.position);
    expect(positions).toEqual([...positions].sort((a, b) => b - a));
    const older = await page(`limit=5&before=${newestFirst.next}`);
    expect(Math.max(...older.events.map((event) => event.position))).toBeLessThan(Math.min(...positions));
    const oldest = await page('limit=5&after=0');
    expect(oldest.events.map((event) => event.position)).toEqual(
      oldest.events.map((event) => event.position).sort((a, b) => a - b),
    );
    for (const event of (await page('type=session_started')).events)
      expect(event.type).toBe('session_started');
    const csv = await call('GET', `/v1/admin/events?format=csv&user_id=${ada.id}`, service);
    const [head, first] = csv.text.split('\r\n');
    expect(head).toBe(
      'position,at,type,scope,reason,user_id,user_ids,session_ids,client_id,device_id,except_session,actor,contract,' +
        'ip_address,user_agent,request_id,details,actor_session,count,last_at,actor_name,login,tenant,logins',
    );
    // RFC 4180: only values with a comma or a quote are quoted.
    expect(
      first
        ?.replace(/,service,v1,.*?,"/, ',service,v1,…,"')
        .split(',')
        .slice(2)
        .join(),
    ).toBe(`user_created,,,${ada.id},,,,,,service,v1,…,"{""role"":""user""}",,,,,,,`);
    expect(csv.headers.get('content-disposition')).toContain('curfew-events.csv');
    const lines = await call('GET', `/v1/admin/events?format=jsonl&user_id=${ada.id}`, {
      bearer: SERVICE_KEY,
    });
    expect(
      lines.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).position).length,
    ).toBe(csv.text.trim().split('\r\n').length - 1);
  });
});
