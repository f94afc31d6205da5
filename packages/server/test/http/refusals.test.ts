/** A refusal leaves an event: in the account's history if there is one, bounded in number, and never with typed text. */
import { createServer } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createUpgrades } from '../../src/http/sockets/upgrades.ts';
import { type Node, openPlace, type Place } from '../races/node.ts';
import { type CallOptions, cookieOf, ISSUER, NEW_PASSWORD, routeBackend, SERVICE_KEY } from '../support.ts';
import { type Seen, SETTINGS } from './refused-events.ts';

describe('the record of refusals', () => {
  let place: Place;
  let node: Node;
  beforeAll(async () => {
    place = await openPlace(routeBackend(), SETTINGS);
    node = place.at(0);
  });
  afterAll(() => place.close());
  beforeEach(async () => {
    place.clock.nextMinute();
    await node.world.refusals.write();
    await place.rows('truncate refusals, login_limits');
  });

  const call = (method: string, path: string, options?: CallOptions, on: Node = node) =>
    on.call(method, path, options);
  const login = (email: string, password: string, more: CallOptions = {}, on?: Node) =>
    call('POST', '/v1/login', { body: { email, password }, ...more }, on);
  const events = async (query: string, on: Node = node): Promise<Seen[]> =>
    (await call('GET', `/v1/admin/events?${query}`, { bearer: SERVICE_KEY }, on)).json.events;
  const types = async (userId: number): Promise<string[]> =>
    (await events(`user_id=${userId}`)).map(({ type }) => type);
  const opened = async (email: string): Promise<string> =>
    (await login(email, 'secret')).json.access_token as string;

  test('counts failed logins of one account, address and minute in one event', async () => {
    const { id, email } = await place.user();
    const agent = { headers: { 'user-agent': 'Guesser/1' } };
    await login(email, 'wrong', { address: '192.0.2.1', ...agent });
    place.clock.advance(1);
    await node.world.refusals.write();
    // Another node counts in the same row.
    await login(email, 'wrong', { address: '192.0.2.1', ...agent }, place.at(1));
    await place.at(1).world.refusals.write();
    await login(email, 'wrong', { address: '192.0.2.2' });
    place.clock.advance(60);
    await login(email, 'wrong', { address: '192.0.2.1' });
    const found = await events(`user_id=${id}`);
    expect(found.map(({ type, count, ip_address }) => [type, count, ip_address])).toEqual([
      ['login_failed', 1, '192.0.2.1'],
      ['login_failed', 1, '192.0.2.2'],
      ['login_failed', 2, '192.0.2.1'],
    ]);
    expect(found[2]).toMatchObject({
      user_agent: 'Guesser/1',
      client_id: 'default',
      contract: 'v1',
      actor: 'anonymous',
    });
    expect(Date.parse(found[2]?.last_at ?? '') - Date.parse(found[2]?.at ?? '')).toBe(1000);
  });

  test('has one event for unknown accounts, and no typed text', async () => {
    const { email } = await place.user();
    const secrets = ['my-secret-password@x.example', 'Another$ecret@x.example', 'hunter2hunter2@x.example'];
    for (const typed of secrets) await login(typed, `${typed}-password`);
    // One address beyond its limits, and a token as the password.
    for (let i = 0; i < 5; i++) await login(secrets[0] ?? '', 'rt_0123456789abcdef0123456789abcdef');
    await login(email, secrets[1] ?? '');
    const found = await events('type=login_failed');
    expect(found.map(({ user_id, count }) => [user_id, count])).toEqual([
      [expect.any(Number), 1],
      [null, 5],
    ]);
    expect(await events('type=login_limited')).toMatchObject([{ user_id: null, count: 3 }]);
    const everything = JSON.stringify(await place.rows('select * from refusals'));
    for (const part of ['secret', 'ecret@', 'hunter2', 'rt_0123', 'x.example', email])
      expect(everything).not.toContain(part);
  });

  test('has limited logins in the history of the named account, in any spelling', async () => {
    const { id, email } = await place.user();
    for (let i = 0; i < 3; i++) await login(email, 'wrong');
    await login(email.toUpperCase(), 'wrong');
    await login(email, 'wrong');
    expect(await events(`user_id=${id}&type=login_limited`)).toMatchObject([
      { count: 2, actor: 'anonymous', client_id: 'default' },
    ]);
  });

  test('has wrong passwords of a live session', async () => {
    const { id, email } = await place.user();
    const bearer = await opened(email);
    await call('POST', '/v1/session/confirm', { bearer, body: { password: 'wrong' } });
    await call('POST', '/v1/password', {
      bearer,
      body: { current_password: 'wrong', new_password: NEW_PASSWORD },
    });
    await node.world.refusals.write();
    for (let i = 0; i < 2; i++)
      await call('POST', '/v1/session/confirm', { bearer, body: { password: 'wrong' } });
    expect(await events(`user_id=${id}`)).toMatchObject([
      { type: 'login_limited', count: 1 },
      { type: 'reauthentication_failed', count: 3, actor: `user:${id}` },
      { type: 'session_started', count: null },
    ]);
  });

  test('has forbidden calls of a live session', async () => {
    const { id, email } = await place.user();
    const answer = await call('POST', '/auth/login', {
      body: { email, password: 'secret', transport: 'cookie' },
    });
    const cookie = cookieOf(answer);
    const refused = [
      await call('POST', '/v1/logout', { cookie }),
      await call('POST', '/auth/logout', { cookie }),
      await call('POST', '/logout', {
        cookie,
        body: 'csrf=made-up',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403]);
    expect(await events(`user_id=${id}&type=csrf_refused`)).toMatchObject([
      { count: 3, actor: `user:${id}`, contract: 'cookie', details: { code: 'csrf_failed' } },
    ]);

    const bearer = await opened(email);
    await call('GET', '/v1/admin/users', { bearer });
    await call('POST', '/v1/admin/sessions', { bearer, body: { user_id: 1 } });
    const session = (await call('POST', '/api/auth/login', { body: { username: email, password: 'secret' } }))
      .json.data.sessionToken;
    expect((await call('GET', `/api/users/${id + 1}`, { bearer: session })).status).toBe(403);
    expect(await events(`user_id=${id}&type=admin_forbidden`)).toMatchObject([
      { count: 3, actor: `user:${id}`, contract: 'session-id', details: { code: 'forbidden' } },
    ]);

    const shop = (
      await call('POST', '/v1/admin/sessions', {
        bearer: SERVICE_KEY,
        body: { user_id: id, client_id: 'shop' },
      })
    ).json.access_token;
    await call('POST', '/v1/session/confirm', { bearer: shop, body: { password: 'secret' } });
    expect(await events(`user_id=${id}&type=audience_refused`)).toMatchObject([
      { count: 1, client_id: 'shop', details: { code: 'wrong_audience' } },
    ]);
  });

  test('has calls without the required service key, and logins from a page of another site', async () => {
    const guess = { bearer: 'svc_a-guess-at-a-service-key' };
    await call('GET', '/v1/admin/users', guess);
    await call('POST', '/v1/admin/sessions', { ...guess, body: { user_id: 1 } });
    await call('GET', '/metrics', guess);
    // A token of a session that is over is no guess.
    const dead = await opened((await place.user()).email);
    await call('POST', '/v1/logout', { bearer: dead });
    await call('GET', '/v1/admin/users', { bearer: dead });
    await call('POST', '/oauth/introspect', {
      ...guess,
      body: 'token=x',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    await call('POST', '/v1/login', {
      body: { email: 'a@b.example', password: 'x', transport: 'cookie' },
      headers: { 'sec-fetch-site': 'cross-site' },
    });
    const found = await events('actor=anonymous');
    const counts = Object.fromEntries(found.map(({ type, count }) => [type, count]));
    expect(counts).toEqual({ admin_forbidden: 2, service_key_refused: 2, csrf_refused: 1 });
    expect(found.map(({ type, details }) => [type, details?.['code']])).toEqual(
      expect.arrayContaining([
        ['admin_forbidden', 'not_authenticated'],
        ['service_key_refused', 'not_authenticated'],
        ['csrf_refused', 'csrf_failed'],
      ]),
    );
    expect(found.every(({ user_id }) => user_id === null)).toBe(true);
    expect(JSON.stringify(await place.rows('select * from refusals'))).not.toContain('svc_a-guess');
  });

  test('has spent refresh tokens used by a stranger', async () => {
    const { id, email } = await place.user();
    const { json } = await login(email, 'secret', { headers: { 'user-agent': 'Owner/1' } });
    const body = { refresh_token: json.refresh_token };
    await call('POST', '/v1/refresh', { body, headers: { 'user-agent': 'Owner/1' } });
    const stolen = { body, address: '198.51.100.9', headers: { 'user-agent': 'Thief/1' } };
    expect((await call('POST', '/v1/refresh', stolen)).status).toBe(401);
    expect(await events(`user_id=${id}&type=refresh_refused`)).toMatchObject([
      { count: 1, ip_address: '198.51.100.9', user_agent: 'Thief/1', actor: 'anonymous' },
    ]);
  });

  test('has WebSockets from a page of another site and without a live credential', async () => {
    const { id, email } = await place.user();
    const answer = await call('POST', '/auth/login', {
      body: { email, password: 'secret', transport: 'cookie' },
    });
    const cookie = `curfew_session=${cookieOf(answer)}`;
    await call('GET', '/v1/session', { cookie: cookieOf(answer) });
    const upgrades = createUpgrades(node.world, node.metrics);
    const server = createServer().on('upgrade', (...its) => upgrades.upgrade(...its));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const port = (server.address() as { port: number }).port;
    const refused = (path: string, protocols: string[], headers: Record<string, string>): Promise<void> =>
      new Promise((resolve) => {
        const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers });
        ws.on('error', () => undefined);
        ws.on('close', () => resolve());
      });
    const notices = ['curfew.notices.v1'];
    await refused('/v1/notices', notices, { cookie, origin: 'https://evil.example' });
    await refused('/v1/notices', notices, { cookie: 'curfew_session=cs_made-up', origin: ISSUER });
    await refused('/v1/feed', [], { authorization: 'Bearer wrong' });
    upgrades.close();
    server.close();
    const found = await events('type=websocket_refused');
    const facts = found.map(({ user_id, count, details, ip_address }) => [
      user_id,
      count,
      details?.['code'],
      ip_address,
    ]);
    expect(facts).toHaveLength(2);
    expect(facts).toContainEqual([id, 1, 'forbidden', '127.0.0.1']);
    expect(facts).toContainEqual([null, 2, 'not_authenticated', '127.0.0.1']);
  });

  test('is in the history by time, page by page, and in exports', async () => {
    const { id, email } = await place.user();
    const story: string[] = [];
    for (let i = 0; i < 6; i++) {
      place.clock.advance(7);
      await login(email, 'wrong', { address: `192.0.2.${i}` });
      await node.world.refusals.write();
      place.clock.advance(7);
      await opened(email);
      story.unshift('session_started', 'login_failed');
    }
    expect(await types(id)).toEqual(story);
    for (const limit of [1, 3, 5, 12]) {
      const paged: Seen[] = [];
      let next: number | null = null;
      do {
        const { json } = await call(
          'GET',
          `/v1/admin/events?user_id=${id}&limit=${limit}${next === null ? '' : `&before=${next}`}`,
          { bearer: SERVICE_KEY },
        );
        paged.push(...json.events);
        next = json.next as number | null;
      } while (next !== null);
      expect(paged).toEqual(await events(`user_id=${id}`));
    }
    const query = `/v1/admin/events?user_id=${id}&format=`;
    const lines = (await call('GET', `${query}jsonl`, { bearer: SERVICE_KEY })).text.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(story.toReversed());
    const csv = (await call('GET', `${query}csv`, { bearer: SERVICE_KEY })).text.trim().split('\r\n');
    expect(csv).toHaveLength(13);
    expect(csv[0]).toMatch(/,count,last_at,actor_name,login,tenant,logins$/);
    const since = (await events(`user_id=${id}`))[3]?.at;
    expect(await events(`user_id=${id}&since=${since}&type=login_failed`)).toHaveLength(2);
    expect(await events(`user_id=${id}&refused=only`)).toHaveLength(6);
    expect(await events(`user_id=${id}&refused=false`)).toHaveLength(6);
    expect(await events(`user_id=${id}&refused=false&type=login_failed`)).toEqual([]);
    expect(await events(`user_id=${id}&reason=logout`)).toEqual([]);
    expect(await events(`user_id=${id}&actor=user:${id}&type=login_failed`)).toEqual([]);
    expect(await events(`user_id=${id}&client_id=shop`)).toEqual([]);
    expect(await events(`user_id=${id}&client_id=default`)).toHaveLength(12);
  });

  test('delays no answer, and a failure to write it is in no answer', async () => {
    const { id, email } = await place.user();
    const { database, refusals } = node.world;
    const query = database.query.bind(database);
    let asked = 0;
    let failing = true;
    let held = (): void => undefined;
    Object.assign(database, {
      query: async (config: Parameters<typeof query>[0]) => {
        if (config.name === 'write_refusals' && failing) {
          asked++;
          await new Promise<void>((release) => (held = release));
          throw new Error('the database fails');
        }
        return query(config);
      },
    });
    try {
      await login(email, 'wrong');
      const writing = refusals.write();
      // It hangs, and logins are answered all the same; their records wait in memory.
      for (let i = 0; i < 2; i++) expect((await login(email, 'wrong')).status).toBe(401);
      expect((await login(email, 'wrong')).status).toBe(429);
      expect(asked).toBe(1);
      expect(await types(id)).toEqual([]);
      held();
      await writing;
      expect(node.lines.filter((line) => line.includes('could not record refused attempts'))).toHaveLength(1);
    } finally {
      failing = false;
      held();
      Object.assign(database, { query });
    }
    const counts = (await events(`user_id=${id}`)).map(({ type, count }) => [type, count]);
    expect(Object.fromEntries(counts)).toEqual({ login_failed: 3, login_limited: 1 });
  });
});
