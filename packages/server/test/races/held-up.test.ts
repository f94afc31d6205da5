/** Starts, departures, refreshes and checks that are delayed in the middle: their answers are dated before the delay. */
import { watch, type Watched } from '@curfew/protocol/replica';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findSession } from '../../src/store/live-session.ts';
import { cut } from '../../src/store/revoke-scope.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { newUser, type OpenSession, opened } from '../http/logins.ts';
import { SERVICE_KEY } from '../support.ts';
import { type Node, openNode, openPlace, type Place, until } from './node.ts';

describe.skipIf(!hasPostgres())('a delay', () => {
  let place: Place;
  let node: Node;
  beforeAll(async () => {
    place = await openPlace('postgres', { CURFEW_LEASE_MS: '1500' });
    node = place.at(0);
  });
  afterAll(() => place.close());

  const open = async (): Promise<{ userId: number; session: OpenSession; watched: Watched }> => {
    const { id: userId } = await newUser(node.call);
    const session = await opened(node.call, userId);
    const live = await findSession(node.world.database, place.clock.now(), session.sid);
    if (live === null || typeof live === 'string') throw new Error('no session');
    return { userId, session, watched: watch(live) };
  };

  /** Holds a statement's answer, or, with `before`, the statement itself. */
  function hold(at: Node, name: string): { release: () => void; reached: Promise<void>; undo: () => void } {
    const { database } = at.world;
    const query = database.query.bind(database);
    let release = (): void => undefined;
    let reach = (): void => undefined;
    const over = new Promise<void>((go) => (release = go));
    const reached = new Promise<void>((go) => (reach = go));
    Object.assign(database, {
      query: async (config: Parameters<typeof query>[0]) => {
        const answer = await query(config);
        if (config.name !== name) return answer;
        reach();
        await over;
        return answer;
      },
    });
    return { release, reached, undo: () => Object.assign(database, { query }) };
  }

  test('a starting node holds earlier endings, and those of transactions that were open', async () => {
    const [before, late, after] = [await open(), await open(), await open()];
    await node.call('POST', '/v1/logout', { bearer: before.session.bearer });
    const act = {
      at: place.clock.now(),
      actor: 'service',
      contract: 'v1',
      ipAddress: null,
      userAgent: '',
      requestId: null,
    };
    let commit = (): void => undefined;
    let written = (): void => undefined;
    const isWritten = new Promise<void>((go) => (written = go));
    const slow = node.world.database.transaction(async (on) => {
      await cut(on, { scope: 'user', userId: late.userId }, act, 'admin_logout');
      written();
      await new Promise<void>((go) => (commit = go));
    });
    await isWritten;
    await node.call('POST', '/v1/logout', { bearer: after.session.bearer });
    const started = await openNode(place.settings, { now: place.clock.now });
    try {
      const { nodes } = started.world;
      const known = (): boolean[] => [before, late, after].map(({ watched }) => nodes.ends(watched));
      expect(known()).toEqual([true, false, true]);
      commit();
      await slow;
      await new Promise<void>((read, failed) => {
        nodes.node.catchUp((error) => (error ? failed(error as Error) : read()));
      });
      expect(known()).toEqual([true, true, true]);
    } finally {
      await started.close();
    }
  });

  test('a closing node stays registered until the leases of its verifiers have expired', async () => {
    const leaving = await openNode(place.settings, { now: place.clock.now });
    const { nodes, database, system } = leaving.world;
    await until('the node is fresh', async () => nodes.node.isFresh());
    const feed = nodes.node.publisher.join(() => undefined);
    nodes.node.renew(feed, 1);
    const query = database.query.bind(database);
    let signedOffMs = 0;
    Object.assign(database, {
      query: (config: Parameters<typeof query>[0]) => {
        if (config.name === 'remove_node') signedOffMs = system.monotonicMs();
        return query(config);
      },
    });
    await leaving.close();
    expect(signedOffMs).toBeGreaterThan(feed.trustsUntilMs);
  });

  test('a refreshed token is dated before the question to the database, however long that and the signing took', async () => {
    const { session } = await open();
    const { database } = node.world;
    const query = database.query.bind(database);
    const beforeSeconds = Math.floor(place.clock.now().getTime() / 1000);
    let asked = 0;
    Object.assign(database, {
      query: async (config: Parameters<typeof query>[0]) => {
        const answer = await query(config);
        if (config.name?.startsWith('rotate')) {
          asked++;
          place.clock.advance(100);
        }
        return answer;
      },
    });
    const { json } = await node.call('POST', '/v1/refresh', { body: { refresh_token: session.refresh } });
    Object.assign(database, { query });
    const [, payload = ''] = json.access_token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    expect([asked, claims.iat]).toEqual([1, beforeSeconds]);
  });

  test.each([
    ['a login', 'insert_session', false],
    ['a refresh', 'rotate_refresh_token', true],
    ['a refresh within the grace', 'refresh_token', true],
  ])('%s names the epoch known before the database was asked', async (_what, name, refreshes) => {
    const { userId, session } = await open();
    const { node: inside } = node.world.nodes;
    const { epoch } = inside;
    const refresh = { body: { refresh_token: session.refresh } };
    if (name === 'refresh_token') await node.call('POST', '/v1/refresh', refresh);
    const held = hold(node, name);
    const answer = refreshes
      ? node.call('POST', '/v1/refresh', refresh)
      : node.call('POST', '/v1/admin/sessions', { bearer: SERVICE_KEY, body: { user_id: userId } });
    await held.reached;
    // The database went back meanwhile: its answer may be lost history.
    Object.defineProperty(inside, 'epoch', { configurable: true, get: () => '9.z' });
    held.release();
    const { json } = await answer;
    held.undo();
    Reflect.deleteProperty(inside, 'epoch');
    const [, payload = ''] = json.access_token.split('.');
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString()).epoch).toBe(epoch);
    expect(epoch).toEqual(expect.any(String));
  });

  test('an answer from before a change is not stored after it', async () => {
    const { userId, session } = await open();
    const asking = place.at(1);
    const name = async (): Promise<string> =>
      (await asking.call('GET', '/v1/session', { bearer: session.bearer })).json.user.name;
    const held = hold(asking, 'session_of_id');
    const first = name();
    await held.reached;
    const changed = await node.call('PATCH', `/v1/admin/users/${userId}`, {
      bearer: SERVICE_KEY,
      body: { name: 'Ada' },
    });
    expect(changed.status).toBe(200);
    held.release();
    held.undo();
    await first;
    expect(await name()).toBe('Ada');
  });
});
