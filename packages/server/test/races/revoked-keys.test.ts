/** API keys on two nodes: created, used, and revoked, while the nodes hold what they know of them in memory. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newKeyText } from '../../src/domain/api-key.ts';
import type { Database } from '../../src/store/database.ts';
import { type Answer, type AnyJson, backends, SERVICE_KEY } from '../support.ts';
import { countUnderWay, hold } from '../services/held-database.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { followLog } from '../http/following-log.ts';
import { type Node, openPlace, type Place, until } from './node.ts';

const service = { bearer: SERVICE_KEY };

interface Made {
  id: number;
  bearer: string;
}

async function keyAt(node: Node, more: object = {}): Promise<Made> {
  const body = { name: 'Shop', scopes: ['users'], ...more };
  const { status, json, text } = await node.call('POST', '/v1/admin/api-keys', { ...service, body });
  if (status !== 201) throw new Error(`no key: ${status} ${text}`);
  expect(json).toMatchObject({ confirmed: true });
  return { id: json.key.id, bearer: json.secret };
}

const revokeAt = (node: Node, { id }: Made, body: object = {}): Promise<Answer<AnyJson>> =>
  node.call('DELETE', `/v1/admin/api-keys/${id}`, { ...service, body });
const statusAt = async (node: Node, { bearer }: { bearer: string }): Promise<number> =>
  (await node.call('GET', '/v1/admin/users?external_id=nobody', { bearer })).status;
const listed = async (node: Node): Promise<AnyJson[]> =>
  (await node.call('GET', '/v1/admin/api-keys?revoked=true&limit=1000', service)).json.keys;

/** The number of times that a statement was sent. */
function countSent(database: Database, name: string): () => number {
  let count = 0;
  const query = database.query.bind(database);
  const counted: Database['query'] = (config) => {
    if (config.name === name) count++;
    return query(config);
  };
  Object.assign(database, { query: counted });
  return () => count;
}

describe.each(backends())('API keys, %s', (backend) => {
  let place: Place;
  let a: Node;
  let b: Node;
  beforeAll(async () => {
    place = await openPlace(backend);
    [a, b] = [place.at(0), place.at(1)];
  });
  afterAll(() => place.close());

  test('is accepted at every node when it is created, and at none when it is revoked', async () => {
    for (let round = 0; round < 5; round++) {
      // Both have read all keys, and this one is not among them.
      expect([
        await statusAt(a, { bearer: newKeyText('client', randomBytes) }),
        await statusAt(b, service),
      ]).toEqual([401, 200]);
      const made = await keyAt(a);
      expect([await statusAt(b, made), await statusAt(a, made)]).toEqual([200, 200]);
      const { status, json } = await revokeAt(b, made, { note: 'leaked' });
      expect([await statusAt(a, made), await statusAt(b, made)]).toEqual([401, 401]);
      expect([status, json]).toMatchObject([
        200,
        { confirmed: true, key: { id: made.id, revoked_by: 'service' } },
      ]);
      // Again: nothing changes.
      const again = await revokeAt(a, made);
      expect([again.status, again.json.key]).toEqual([200, json.key]);
    }
  });

  test('is stored as a hash, with who created, used and revoked it', async () => {
    const made = await keyAt(a, { client_id: 'token', scopes: ['verify', 'users', 'verify'] });
    expect((await listed(a))[0]).toMatchObject({
      name: 'Shop',
      client_id: 'token',
      scopes: ['verify', 'users'],
      created_by: 'service',
      last_used_at: null,
    });
    expect(await statusAt(b, made)).toBe(200);
    await b.world.apiKeys.flush();
    expect((await listed(a))[0].last_used_at).toBe(place.clock.now().toISOString());
    const [row] = await place.rows<{ text: string }>(
      'select k::text as text from api_keys k where id = $1',
      made.id,
    );
    expect(row?.text).not.toContain(made.bearer.slice(10, 20));
    await revokeAt(a, made);
    expect((await listed(b))[0]).toMatchObject({ id: made.id, revoked_at: place.clock.now().toISOString() });
    const page = async (query: string): Promise<number[]> =>
      (await a.call('GET', `/v1/admin/api-keys?${query}`, service)).json.keys.map(({ id }: AnyJson) => id);
    expect(await page('limit=1000')).not.toContain(made.id);
    expect(await page(`revoked=true&before=${made.id + 1}&limit=1`)).toEqual([made.id]);
  });

  test('is refused at every node from the instant of its expiry', async () => {
    const expiresAt = new Date(place.clock.now().getTime() + 60_000);
    const made = await keyAt(a, { expires_at: expiresAt.toISOString() });
    place.clock.advance(59);
    expect([await statusAt(a, made), await statusAt(b, made)]).toEqual([200, 200]);
    place.clock.advance(1);
    expect([await statusAt(a, made), await statusAt(b, made)]).toEqual([401, 401]);
  });

  test('is dead at every node while its application is disabled', async () => {
    const id = `shop-${randomBytes(4).toString('hex')}`;
    await a.call('POST', '/v1/admin/clients', { ...service, body: { client_id: id } });
    const made = await keyAt(a, { client_id: id });
    expect([await statusAt(a, made), await statusAt(b, made)]).toEqual([200, 200]);
    for (const [disabled, status] of [
      [true, 401],
      [false, 200],
    ] as const) {
      const { json } = await b.call('PATCH', `/v1/admin/clients/${id}`, { ...service, body: { disabled } });
      expect(json).toMatchObject({ confirmed: true });
      expect([disabled, await statusAt(a, made), await statusAt(b, made)]).toEqual([
        disabled,
        status,
        status,
      ]);
    }
  });

  test('is the actor in the log, under its name, and the owner of a session sees a service', async () => {
    const { id: userId } = await place.user();
    const made = await keyAt(a, {
      name: 'Shop / back end',
      scopes: ['sessions:open', 'sessions:end', 'users'],
    });
    const { json } = await b.call('POST', '/v1/admin/sessions', {
      bearer: made.bearer,
      body: { user_id: userId },
    });
    await a.call('PATCH', `/v1/admin/users/${userId}`, { bearer: made.bearer, body: { name: 'Grace' } });
    await b.call('POST', '/v1/admin/logout', {
      bearer: made.bearer,
      body: { scope: 'user', user_id: userId },
    });
    const { events } = (await a.call('GET', `/v1/admin/events?actor=key:${made.id}`, service)).json;
    const key = { actor: `key:${made.id}`, actor_name: 'Shop / back end', actor_session: null };
    expect(events).toMatchObject([
      { type: 'sessions_ended', ...key },
      { type: 'user_changed', ...key },
      { type: 'session_started', ...key },
    ]);
    const ended = await b.call('GET', '/v1/session', { bearer: json.access_token });
    expect([ended.status, ended.json.ended]).toMatchObject([401, { by: 'service' }]);
    const sessions = await a.call('GET', `/v1/admin/sessions?user_id=${userId}&ended=only`, service);
    expect(sessions.json.sessions[0].ended.by).toBe(`key:${made.id}`);
  });

  test('with the scope admin is revoked last only with a confirmation', async () => {
    const isLast = { status: 409, json: { code: 'last_admin_key' } };
    const idle = await keyAt(a, {
      scopes: ['admin'],
      expires_at: new Date(place.clock.now().getTime() + 1000),
    });
    place.clock.advance(1);
    const [one, two] = [
      await keyAt(a, { scopes: ['admin', 'verify'] }),
      await keyAt(b, { scopes: ['admin'] }),
    ];
    const answers = await Promise.all([revokeAt(a, one), revokeAt(b, two)]);
    expect(answers.map(({ status }) => status).toSorted((x, y) => x - y)).toEqual([200, 409]);
    const left = answers[0].status === 409 ? one : two;
    expect(await revokeAt(a, left)).toMatchObject(isLast);
    expect(await statusAt(b, left)).toBe(200);
    expect((await revokeAt(a, await keyAt(a))).status).toBe(200);
    // One that is dead already leaves no less.
    expect((await revokeAt(a, idle)).status).toBe(200);
    expect((await revokeAt(b, left, { confirm_last_admin_key: true })).status).toBe(200);
    expect(await statusAt(a, left)).toBe(401);
  });

  test('that is wrong costs the database nothing, whatever its number, and the right one is accepted meanwhile', async () => {
    const made = await keyAt(a);
    expect(await statusAt(a, made)).toBe(200);
    const reads = countSent(a.world.database, 'live_api_keys');
    for (let i = 0; i < 200; i++) {
      const guess = newKeyText('client', randomBytes);
      for (const bearer of [guess, `${guess}x`]) expect([401, 429]).toContain(await statusAt(a, { bearer }));
      expect(await statusAt(a, made)).toBe(200);
    }
    expect(reads()).toBeLessThanOrEqual(1);
    // Where memory is empty, those that come together share a question.
    a.world.apiKeys.forget();
    const before = reads();
    const guesses = Array.from({ length: 100 }, () => ({ bearer: newKeyText('operator', randomBytes) }));
    expect(new Set(await Promise.all(guesses.map((guess) => statusAt(a, guess))))).toEqual(new Set([429]));
    expect(reads() - before).toBeLessThanOrEqual(2);
    const { json } = await a.call('GET', '/v1/admin/events?refused=only&limit=1', service);
    expect(json.events[0]).toMatchObject({ type: 'admin_forbidden', actor: 'anonymous', actor_name: null });
    expect(json.events[0].count).toBeGreaterThanOrEqual(400);
  });

  test('ends the streams that it opened', async () => {
    const made = await keyAt(a, { scopes: ['admin'] });
    const stream = await followLog({ fetch: b.fetch }, '', { bearer: made.bearer });
    expect(stream.status).toBe(200);
    await revokeAt(a, made, { confirm_last_admin_key: true });
    await until('the stream ends', async () => stream.done);
    await stream.close();
  });

  test.each(['before', 'uncommitted'] as const)(
    'that may not open sessions of administrators opens none beside a promotion, held %s the insert',
    async (at) => {
      const { id: userId } = await place.user();
      const made = await keyAt(a, { scopes: ['sessions:open'] });
      expect(await statusAt(a, made)).toBe(403);
      const held = hold(a.world.database, 'insert_session', at);
      const opening = a.call('POST', '/v1/admin/sessions', {
        bearer: made.bearer,
        body: { user_id: userId },
      });
      await held.reached;
      const promoting = b.call('PATCH', `/v1/admin/users/${userId}`, { ...service, body: { role: 'admin' } });
      if (at === 'before') await promoting;
      held.release();
      const opened = await opening;
      expect([opened.status, (await promoting).status]).toEqual([at === 'before' ? 404 : 200, 200]);
      const alive = await b.call('GET', `/v1/admin/sessions?user_id=${userId}`, service);
      expect(alive.json.sessions).toEqual([]);
    },
  );
});

describe.runIf(hasPostgres())('an API key that is revoked at node A', () => {
  let place: Place;
  let a: Node;
  let b: Node;
  let readsAtB: () => number;
  beforeAll(async () => {
    place = await openPlace('postgres', { CURFEW_LEASE_MS: '60000' });
    [a, b] = [place.at(0), place.at(1)];
    readsAtB = countUnderWay(b.world.database, 'next_endings');
  });
  afterAll(() => place.close());

  const isRevoked = async ({ id }: Made): Promise<boolean> =>
    (await place.rows('select 1 from api_keys where id = $1 and revoked_at is not null', id)).length > 0;

  test('is confirmed when node B has read it, and B accepts it until then', async () => {
    const made = await keyAt(a);
    expect(await statusAt(b, made)).toBe(200);
    const held = hold(b.world.database, 'next_endings', 'before');
    await until('no read is under way but the one that is held', async () => readsAtB() === 0);
    let answered = false;
    const revoking = revokeAt(a, made).finally(() => {
      answered = true;
    });
    await until('it is committed', () => isRevoked(made));
    await held.reached;
    for (let i = 0; i < 10; i++) await place.rows('select 1');
    expect([answered, await statusAt(b, made)]).toEqual([false, 200]);
    held.release();
    expect((await revoking).json).toMatchObject({ confirmed: true, acknowledged: 1, waited_out: 0 });
    expect(await statusAt(b, made)).toBe(401);
  });

  test('is not remembered by an answer from before, which comes after', async () => {
    const made = await keyAt(a);
    // Empties B's memory.
    await keyAt(a);
    const held = hold(b.world.database, 'live_api_keys', 'after');
    const asking = statusAt(b, made);
    await held.reached;
    expect((await revokeAt(a, made)).json).toMatchObject({ confirmed: true, acknowledged: 1 });
    held.release();
    // Not by the request that asked, either: it asks again.
    expect(await asking).toBe(401);
    expect(await statusAt(b, made)).toBe(401);
  });
});

describe.runIf(hasPostgres())('a node that is not fresh', () => {
  const LEASE_MS = 400;
  let place: Place;
  let a: Node;
  let b: Node;
  beforeEach(async () => {
    place = await openPlace('postgres', { CURFEW_LEASE_MS: String(LEASE_MS) });
    [a, b] = [place.at(0), place.at(1)];
    return () => place.close();
  });

  test('asks the database about keys, and the revocation waits for its lease', async () => {
    const [made, other] = [await keyAt(a), await keyAt(a)];
    expect([await statusAt(b, made), await statusAt(b, other)]).toEqual([200, 200]);
    const held = hold(b.world.database, 'next_endings', 'before');
    await held.reached;
    expect((await revokeAt(a, made)).json).toMatchObject({ confirmed: true, acknowledged: 0, waited_out: 1 });
    expect(b.world.nodes.node.isFresh()).toBe(false);
    expect([await statusAt(b, made), await statusAt(b, other)]).toEqual([401, 200]);
    held.release();
  });

  test('accepts no key when the database does not answer', async () => {
    const made = await keyAt(a);
    expect(await statusAt(b, made)).toBe(200);
    const held = hold(b.world.database, 'next_endings', 'before');
    await held.reached;
    await until('its lease is over', async () => !b.world.nodes.node.isFresh());
    const query = b.world.database.query.bind(b.world.database);
    const failing: Database['query'] = async (config) => {
      if (config.name === 'live_api_keys') throw new Error('the database is away');
      return query(config);
    };
    Object.assign(b.world.database, { query: failing });
    expect(await statusAt(b, made)).toBe(503);
    held.release();
  });
});
