/** The keys of verifiers: a back end whose key is dead loses its feed and its lease, and no logout waits for it after that. */
import { once } from 'node:events';
import { FEED_CLOSED } from '@curfew/protocol/feed-messages';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { openHandClock, passSteadily, passUntil, passWhile, timeOf } from '../services/hand-clock.ts';
import { type AnyJson, openAuthority, routeBackend, SERVICE_KEY, silent } from '../support.ts';
import { hasPostgres } from '../services/fresh-database.ts';
import { openPostgres } from '../../src/store/postgres.ts';
import { newKey, newUser, opened } from './logins.ts';
import { type FeedNode, follow, logIn, startNode } from './following.ts';

const LEASE_MS = 1000;
const service = { bearer: SERVICE_KEY };
const clock = openHandClock();
const eventually = (what: string, yes: () => boolean | Promise<boolean>): Promise<void> =>
  passUntil(clock, what, yes);
const open = async (): Promise<FeedNode> =>
  startNode(await openAuthority(routeBackend(), {}, { system: timeOf(clock) }), { clock });

const keyAt = ({ on }: FeedNode, more: object = {}): Promise<{ id: number; secret: string }> =>
  newKey(on.call, { name: 'Shop', scopes: ['verify'], ...more });
/** No time passes, so no renewal is asked for meanwhile. */
const revokeAt = async ({ on }: FeedNode, { id }: { id: number }): Promise<AnyJson> =>
  (await on.call('DELETE', `/v1/admin/api-keys/${id}`, service)).json;
const logOut = async ({ on }: FeedNode, bearer: string): Promise<AnyJson> =>
  (await passWhile(clock, on.call('POST', '/v1/logout', { bearer }))).json;
const verifiersOf = async ({ on }: FeedNode): Promise<AnyJson[]> =>
  (await on.call('GET', '/v1/admin/state', service)).json.verifiers;

/** The status of a feed that is refused. */
function refusalOf(url: string, key: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } });
    ws.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      ws.terminate();
    });
    ws.on('open', () => reject(new Error('the feed was opened')));
    ws.on('error', reject);
  });
}

describe('a use that a verifier reports', () => {
  const SHOP = 'https://shop.example';
  const seenAt = async ({ on }: FeedNode, userId: number, sid: string): Promise<string> => {
    const { json } = await on.call('GET', `/v1/admin/sessions?user_id=${userId}`, service);
    return json.sessions.find((session: AnyJson) => session.id === sid).last_seen_at;
  };

  test('counts for sessions of the audience of its key alone; by an operator’s key for all', async () => {
    const settings = {
      CURFEW_CLIENTS: JSON.stringify({ shop: { audience: SHOP }, kiosk: { audience: SHOP }, own: {} }),
    };
    const on = await openAuthority(routeBackend(), settings, { system: timeOf(clock) });
    const node = await startNode(on, { clock });
    const user = await newUser(on.call);
    const ids = ['shop', 'kiosk', 'own', 'token'];
    const sids: string[] = [];
    for (const client_id of ids) sids.push((await opened(on.call, user.id, { client_id })).sid);
    const moved = async (key: string): Promise<boolean[]> => {
      const before = await Promise.all(sids.map((sid) => seenAt(node, user.id, sid)));
      const { subscriber, ws } = follow(node.url, clock, key);
      await eventually('the verifier is fresh', () => subscriber.isFresh());
      // Uses are shown to the minute.
      clock.sleep(60_000);
      ws.send(JSON.stringify({ t: 'used', sessions: sids.map((sid) => [sid, 0]) }));
      // A report that counts, by another way, shows that all were written.
      const last = (await opened(on.call, user.id, { client_id: 'token' })).sid;
      const other = follow(node.url, clock);
      await eventually('another verifier is fresh', () => other.subscriber.isFresh());
      clock.sleep(60_000);
      const lastSeen = await seenAt(node, user.id, last);
      other.ws.send(JSON.stringify({ t: 'used', sessions: [[last, 0]] }));
      await eventually('it is written', async () => (await seenAt(node, user.id, last)) > lastSeen);
      ws.terminate();
      other.ws.terminate();
      const after = await Promise.all(sids.map((sid) => seenAt(node, user.id, sid)));
      return after.map((at, i) => at > (before[i] ?? ''));
    };
    expect(await moved((await keyAt(node, { client_id: 'shop' })).secret)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(await moved((await keyAt(node, { client_id: 'own' })).secret)).toEqual([false, false, true, true]);
    expect(await moved((await keyAt(node)).secret)).toEqual([true, true, true, true]);
  });
});

describe('a feed by an API key', () => {
  test('is opened by a client’s key and an operator’s with the scope verify, and by no other', async () => {
    const node = await open();
    for (const more of [{}, { client_id: 'token' }, { scopes: ['admin'] }]) {
      const { secret } = await keyAt(node, more);
      const { subscriber, ws } = follow(node.url, clock, secret);
      await eventually('the verifier is fresh', () => subscriber.isFresh());
      ws.terminate();
    }
    const { secret } = await keyAt(node, { scopes: ['sessions:open', 'sessions:end', 'users'] });
    expect(await refusalOf(node.url, secret)).toBe(403);
    expect(await refusalOf(node.url, `${secret.slice(0, -1)}?`)).toBe(401);
  });

  test('is named in the system status', async () => {
    const node = await open();
    const key = await keyAt(node, { name: 'Back end of the shop' });
    const [keyed, by] = [follow(node.url, clock, key.secret), follow(node.url, clock)];
    await eventually('both are fresh', () => keyed.subscriber.isFresh() && by.subscriber.isFresh());
    await eventually('the status is looked up anew', async () => (await verifiersOf(node)).length === 2);
    expect((await verifiersOf(node)).map((one) => one.key)).toEqual(
      expect.arrayContaining([{ id: key.id, name: 'Back end of the shop' }, null]),
    );
  });

  test('is closed when the key is revoked, its lease with it, and logouts wait for no longer', async () => {
    const node = await open();
    const [one, two, three] = [await logIn(node.on), await logIn(node.on), await logIn(node.on)];
    const key = await keyAt(node);
    const { subscriber, ws } = follow(node.url, clock, key.secret);
    const other = follow(node.url, clock, (await keyAt(node)).secret);
    await eventually('both are fresh', () => subscriber.isFresh() && other.subscriber.isFresh());
    expect(await logOut(node, one.bearer)).toMatchObject({ acknowledged: 2, waited_out: 0 });

    const closed = once(ws, 'close');
    expect(await revokeAt(node, key)).toMatchObject({ confirmed: true, key: { id: key.id } });
    const revokedMs = clock.monotonicMs;
    expect((await closed)[0]).toBe(FEED_CLOSED.revoked);
    expect(await refusalOf(node.url, key.secret)).toBe(401);
    // It may still trust itself: so the logout waits, for its lease.
    expect(subscriber.isFresh()).toBe(true);
    const waited = await logOut(node, two.bearer);
    expect(waited).toMatchObject({ confirmed: true, acknowledged: 1, waited_out: 1 });
    expect(clock.monotonicMs - revokedMs).toBeLessThanOrEqual(1.2 * LEASE_MS);
    expect([subscriber.isFresh(), subscriber.judge(two.seen)]).toEqual([false, 'unsure']);
    // No time passes, so nothing is waited for.
    const { json: later } = await node.on.call('POST', '/v1/logout', { bearer: three.bearer });
    expect(later).toMatchObject({ confirmed: true, acknowledged: 1, waited_out: 0, ms: 0 });
    expect((await verifiersOf(node)).length).toBe(1);
  });

  test('is cut off when the other end does not answer the close', async () => {
    const node = await open();
    const key = await keyAt(node);
    const { subscriber, ws } = follow(node.url, clock, key.secret);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    const closed = once(ws, 'close');
    ws.pause();
    await revokeAt(node, key);
    expect((await verifiersOf(node)).length).toBe(1);
    const revokedMs = clock.monotonicMs;
    await eventually('it is cut off', async () => (await verifiersOf(node)).length === 0);
    // The status itself is half a second old at most.
    expect(clock.monotonicMs - revokedMs).toBeLessThanOrEqual(LEASE_MS + 600);
    ws.resume();
    await closed;
  });

  test('is closed when its application is disabled or deleted', async () => {
    const node = await open();
    for (const [client_id, method, body] of [
      ['off', 'PATCH', { disabled: true }],
      ['gone', 'DELETE', {}],
    ] as const) {
      await node.on.call('POST', '/v1/admin/clients', { ...service, body: { client_id, name: client_id } });
      const key = await keyAt(node, { client_id });
      const { subscriber, ws } = follow(node.url, clock, key.secret);
      await eventually('the verifier is fresh', () => subscriber.isFresh());
      const closed = once(ws, 'close');
      const { status } = await passWhile(
        clock,
        node.on.call(method, `/v1/admin/clients/${client_id}`, { ...service, body }),
      );
      expect([client_id, status, (await closed)[0]]).toEqual([client_id, 200, FEED_CLOSED.revoked]);
      expect(await refusalOf(node.url, key.secret)).toBe(401);
    }
  });

  test.runIf(hasPostgres())('is closed by a node that does not know its application yet', async () => {
    const node = await startNode(await openAuthority('postgres', {}, { system: timeOf(clock) }), { clock });
    const url = node.on.settings['DATABASE_URL'] ?? '';
    const database = openPostgres({ url, pool: 1, statementNames: true, log: silent });
    onTestFinished(() => database.close());
    // Without its event, which the node has not read yet.
    await database.query({
      text: `insert into clients (id, name, algorithm, grant_types, created_at) values ('new', 'New', 'EdDSA', '{service}', now())`,
      values: [],
    });
    const { ws, heard } = follow(node.url, clock, (await keyAt(node, { client_id: 'new' })).secret);
    expect((await once(ws, 'close'))[0]).toBe(FEED_CLOSED.restart);
    expect(heard).toEqual([]);
  });

  test('is closed when the key expires', async () => {
    const node = await open();
    const key = await keyAt(node, { expires_at: new Date(clock.wallMs + 5000) });
    const { subscriber, ws } = follow(node.url, clock, key.secret);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    let code = 0;
    ws.once('close', (its) => (code = its));
    await passSteadily(clock, 4500);
    expect(code).toBe(0);
    await eventually('it is closed', () => code !== 0);
    expect(code).toBe(FEED_CLOSED.revoked);
  });

  test('is closed when the key expires, also if the verifier asks for no renewal', async () => {
    const node = await open();
    const key = await keyAt(node, { expires_at: new Date(clock.wallMs + 5000) });
    const { subscriber, ws, mute } = follow(node.url, clock, key.secret);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    mute();
    const unmute = clock.every(400, () => ws.send(JSON.stringify({ t: 'ack', seq: 0 })));
    let code = 0;
    ws.once('close', (its) => (code = its));
    await passSteadily(clock, 4500);
    expect(code).toBe(0);
    await passSteadily(clock, 500 + LEASE_MS);
    await eventually('it is closed', () => code !== 0);
    unmute();
    expect(code).toBe(FEED_CLOSED.revoked);
  });

  test('counts as use of the key for as long as it is open', async () => {
    const node = await open();
    const { id, secret } = await keyAt(node);
    const { subscriber } = follow(node.url, clock, secret);
    await eventually('the verifier is fresh', () => subscriber.isFresh());
    await passSteadily(clock, 1000);
    const openedAt = new Date(clock.wallMs - 500).toISOString();
    await passSteadily(clock, 500);
    clock.pass(60_000);
    const usedAt = async (): Promise<string> => {
      const { keys } = (await node.on.call('GET', '/v1/admin/api-keys', service)).json;
      return keys.find((key: AnyJson) => key.id === id).last_used_at ?? '';
    };
    await eventually('the use is written', async () => (await usedAt()) > openedAt);
  });

  test('is replaced without a gap: a second key, a second verifier, and the first key revoked', async () => {
    const node = await open();
    const session = await logIn(node.on);
    const old = await keyAt(node);
    const before = follow(node.url, clock, old.secret);
    await eventually('the back end is fresh', () => before.subscriber.isFresh());
    const fresh = (): boolean[] => [before.subscriber.isFresh(), after.subscriber.isFresh()];
    const after = follow(node.url, clock, (await keyAt(node)).secret);
    await eventually('its next version is fresh', () => {
      expect(before.subscriber.judge(session.seen)).toBe('alive');
      return after.subscriber.isFresh();
    });
    expect(fresh()).toEqual([true, true]);
    await revokeAt(node, old);
    await eventually('the first has lost its lease', () => {
      expect(after.subscriber.judge(session.seen)).toBe('alive');
      return !before.subscriber.isFresh();
    });
    // The node counts a margin for clocks that drift.
    await passSteadily(clock, LEASE_MS);
    expect(await logOut(node, session.bearer)).toMatchObject({
      confirmed: true,
      acknowledged: 1,
      waited_out: 0,
    });
    expect(after.subscriber.judge(session.seen)).toBe('ended');
  });
});
