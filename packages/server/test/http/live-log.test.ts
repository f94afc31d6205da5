/** The log as server-sent events: everything once at least, in time, and only for as long as the session that asked lives. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { withClient } from '../services/postgres.ts';
import { until } from '../races/node.ts';
import { ISSUER, openAuthority, routeBackend, SERVICE_KEY, type TestAuthority } from '../support.ts';
import { followLog, type Streamed } from './following-log.ts';
import { ADMIN, alive, newUser, opened, v1Login } from './logins.ts';

const open: Streamed[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function follow(
  on: TestAuthority,
  ...how: [query?: string, more?: { bearer?: string; from?: string }]
) {
  const streamed = await followLog(on.authority, ...how);
  open.push(streamed);
  return streamed;
}

describe('the live log', () => {
  let on: TestAuthority;
  let user: { id: number; email: string };
  beforeAll(async () => {
    on = await openAuthority(routeBackend());
    user = await newUser(on.call);
  });
  afterAll(() => on.close());

  test('streams new events, and with a filter only those that match', async () => {
    const all = await follow(on);
    const endings = await follow(on, `?type=sessions_ended&user_id=${user.id}`);
    const { sid, bearer } = await opened(on.call, user.id);
    await opened(on.call, 2);
    await on.call('POST', '/v1/logout', { bearer });
    await until('the events come', async () => all.events.length >= 3 && endings.events.length >= 1);
    expect(all.events.map(({ type, user_id }) => [type, user_id])).toEqual([
      ['session_started', user.id],
      ['session_started', 2],
      ['sessions_ended', user.id],
    ]);
    expect(endings.events).toEqual([
      expect.objectContaining({
        user_id: user.id,
        session_ids: [sid],
        actor: `user:${user.id}`,
        actor_session: sid,
      }),
    ]);
  });

  test('for one user includes endings of an application or everyone that end the user’s sessions', async () => {
    const [inShop, elsewhere] = [await newUser(on.call), await newUser(on.call)];
    await opened(on.call, inShop.id, { client_id: 'token' });
    await opened(on.call, elsewhere.id);
    const [theirs, others] = [
      await follow(on, `?user_id=${inShop.id}`),
      await follow(on, `?user_id=${elsewhere.id}`),
    ];
    const logOut = (body: object): Promise<unknown> =>
      on.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body });
    await logOut({ scope: 'client', client_id: 'token' });
    await logOut({ scope: 'user', user_id: inShop.id });
    await logOut({ scope: 'user', user_id: elsewhere.id });
    await until('all have come', async () => theirs.events.length >= 2 && others.events.length >= 1);
    const scopes = (of: Streamed): unknown[] =>
      of.events.map((event) => (event as unknown as { scope: string }).scope);
    expect([scopes(theirs), scopes(others)]).toEqual([['client', 'user'], ['user']]);
  });

  test('streams refusals, again when their count grows, and not where they are filtered out', async () => {
    const other = await newUser(on.call);
    const fail = (email: string): Promise<unknown> =>
      on.call('POST', '/v1/login', { body: { email, password: 'wrong' } });
    // Of before: not shown.
    await fail(user.email);
    await on.call('GET', '/v1/admin/events', { bearer: SERVICE_KEY });
    const theirs = await follow(on, `?user_id=${other.id}`);
    const only = await follow(on, '?refused=only');
    const without = await follow(on, '?refused=false');
    const counts = (of: Streamed, userId = other.id): unknown[] =>
      of.events
        .filter(({ user_id }) => user_id === userId)
        .map((event) => [event.type, (event as unknown as { count: number | null }).count]);
    await fail(other.email);
    // Both have shown it before there is more: a stream that looks later would show the second alone.
    await until('it comes', async () => counts(theirs).length > 0 && counts(only).length > 0);
    await fail(other.email);
    await until('it comes again', async () => counts(theirs).length > 1 && counts(only).length > 1);
    await opened(on.call, other.id);
    await until('the event comes', async () => counts(theirs).length > 2 && counts(without).length > 0);
    // At the turn of a minute the second one is a separate event.
    const seen = [
      ['login_failed', 1],
      ['login_failed', expect.toBeOneOf([1, 2])],
    ];
    expect(counts(theirs)).toEqual([...seen, ['session_started', null]]);
    expect(counts(only)).toEqual(seen);
    expect(counts(without)).toEqual([['session_started', null]]);
    expect(counts(only, user.id)).toEqual([]);
  });

  test('continues after an id, in the header or the address, with the events since', async () => {
    const first = await follow(on);
    await opened(on.call, user.id);
    await until('the events come', async () => first.events.length === 1);
    await first.close();
    const missed = await Promise.all([
      opened(on.call, user.id),
      opened(on.call, user.id),
      opened(on.call, user.id),
    ]);
    const from = first.events[0]?.id ?? '';
    const known = first.events[0]?.position ?? 0;
    for (const again of [await follow(on, '', { from }), await follow(on, `?cursor=${from}`)])
      await until(
        'the events come',
        async () => again.events.filter(({ position }) => position > known).length === missed.length,
      );
  });

  test('is for administrators, and ends with their session', async () => {
    const ordinary = await v1Login(on.call);
    expect((await follow(on, '', { bearer: ordinary.bearer })).status).toBe(403);
    expect((await follow(on, '', { bearer: 'nobody' })).status).toBe(401);
    const admin = await v1Login(on.call, ADMIN);
    const other = await v1Login(on.call, ADMIN);
    // The two refusals above are written in a moment, and are not the matter here.
    const [ending, going] = [
      await follow(on, '?refused=false', { bearer: admin.bearer }),
      await follow(on, '?refused=false', { bearer: other.bearer }),
    ];
    await on.call('POST', '/v1/logout', { bearer: admin.bearer });
    await until('the stream ends', async () => ending.done);
    await opened(on.call, user.id);
    await until('the events come', async () => going.events.length === 2);
    // Not even its own end is sent to it any more.
    expect(ending.events).toEqual([]);
    expect(await alive(on.call, [admin, other])).toEqual([false, true]);
  });

  test('ends when the administrator loses the role', async () => {
    const { id, email } = await newUser(on.call, { role: 'admin' });
    const { bearer } = await v1Login(on.call, email);
    const stream = await follow(on, '', { bearer });
    await on.call('PATCH', `/v1/admin/users/${id}`, { bearer: SERVICE_KEY, body: { role: 'user' } });
    await until('the stream ends', async () => stream.done);
    expect(stream.events).toEqual([]);
  });

  test('takes a limited number of clients, and another when one has left', async () => {
    const streams = await Promise.all(Array.from({ length: 100 }, () => follow(on)));
    expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await follow(on)).status).toBe(503);
    await streams[0]?.close();
    expect((await follow(on)).status).toBe(200);
  });

  test('frees the place of an ended session, though its client reads nothing', async () => {
    const admin = await v1Login(on.call, ADMIN);
    const unread = await on.authority.fetch(
      new Request(`${ISSUER}/v1/admin/events`, {
        headers: { accept: 'text/event-stream', authorization: `Bearer ${admin.bearer}` },
      }),
    );
    expect(unread.status).toBe(200);
    const others = await Promise.all(Array.from({ length: 99 }, () => follow(on)));
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await follow(on)).status).toBe(503);
    await on.call('POST', '/v1/logout', { bearer: admin.bearer });
    await until('there is a place', async () => (await follow(on)).status === 200);
    await unread.body?.cancel();
  });

  test('refuses an invalid filter', async () => {
    for (const query of [
      'actor=somebody',
      'since=yesterday',
      'until=1',
      'client_id=%20',
      'cursor=x',
      'user_id=0',
    ])
      expect([query, (await follow(on, `?${query}`)).status]).toEqual([query, 400]);
  });
});

describe.runIf(hasPostgres())('the exported log', () => {
  /** Several pages of an export, so that most of it is still to be read when the first of them is there. */
  const ROWS = 5000;
  let on: TestAuthority;
  const write = (actor: string, count: number): Promise<unknown> =>
    withClient(String(on.settings['DATABASE_URL']), (client) =>
      client.query(
        `insert into events (at, type, actor, user_agent)
         select now(), 'session_started', $1, repeat('x', 200) from generate_series(1, $2::int)`,
        [actor, count],
      ),
    );
  beforeAll(async () => {
    on = await openAuthority('postgres');
    await write('system', ROWS);
  });
  afterAll(() => on.close());

  const ask = (format: string, bearer: string): Promise<Response> =>
    on.authority.fetch(
      new Request(`${ISSUER}/v1/admin/events?format=${format}`, {
        headers: { authorization: `Bearer ${bearer}` },
      }),
    );
  const wholeOf = async (asked: Promise<Response>): Promise<string[]> =>
    (await (await asked).text()).trim().split('\n');

  test.each(['csv', 'jsonl'])('as %s: is read from the database as the client takes it', async (format) => {
    const reader = (await ask(format, SERVICE_KEY)).body?.getReader();
    const first = await reader?.read();
    // It reads nothing while others read everything, twice: enough time. Events written then are still to be read.
    for (let i = 0; i < 2; i++)
      expect((await wholeOf(ask(format, SERVICE_KEY))).length).toBeGreaterThanOrEqual(ROWS);
    await write(`late-${format}`, 1);
    const decoder = new TextDecoder();
    let text = '';
    for (let part = first; part && !part.done; part = await reader?.read())
      text += decoder.decode(part.value, { stream: true });
    const lines = text.trim().split('\n');
    expect(lines.length).toBeGreaterThan(ROWS);
    expect(lines.at(-1)).toContain(`late-${format}`);
  });

  test.each(['csv', 'jsonl'])('as %s: stops when the caller is logged out meanwhile', async (format) => {
    const [ending, going] = [await v1Login(on.call, ADMIN), await v1Login(on.call, ADMIN)];
    const [cut, whole] = [await ask(format, ending.bearer), ask(format, going.bearer)];
    await on.call('POST', '/v1/logout', { bearer: ending.bearer });
    // Broken off, so that the part is not taken for the whole.
    await expect(cut.text()).rejects.toThrow();
    expect((await wholeOf(whole)).length).toBeGreaterThanOrEqual(ROWS);
  });
});

describe.runIf(hasPostgres())('the live log beside open transactions', () => {
  test('streams early events that commit late, also after a reconnection', async () => {
    const on = await openAuthority('postgres');
    try {
      const user = await newUser(on.call);
      const stream = await follow(on);
      await withClient(on.settings['DATABASE_URL'] ?? '', async (late) => {
        // Its position and its transaction come before those of the login, and its commit after it.
        await late.query('begin');
        const { rows } = await late.query<{ position: string }>(
          `insert into events (at, type, actor, details) values (now(), 'keys_rotated', 'operator', '{}') returning position`,
        );
        await opened(on.call, user.id);
        await until('the events come', async () => stream.events.length === 1);
        const seen = stream.events[0];
        expect(Number(rows[0]?.position)).toBeLessThan(seen?.position ?? 0);
        await stream.close();
        const again = await follow(on, '', { from: seen?.id ?? '' });
        await opened(on.call, user.id);
        await until('the events come', async () =>
          again.events.some(({ position }) => position > (seen?.position ?? 0)),
        );
        expect(again.events.map(({ type }) => type)).not.toContain('keys_rotated');
        await late.query('commit');
        await until('the events come', async () => again.events.some(({ type }) => type === 'keys_rotated'));
        // Within one connection nothing comes twice.
        const positions = again.events.map(({ position }) => position);
        expect(new Set(positions).size).toBe(positions.length);
      });
    } finally {
      await on.close();
    }
  });

  test('a stopping server ends the streams', async () => {
    const on = await openAuthority('postgres');
    const stream = await follow(on);
    on.authority.hangUp();
    await until('the stream ends', async () => stream.done);
    await on.close();
  });
});
