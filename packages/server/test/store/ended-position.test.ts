/** A session's row names the event that ended it, whichever way it was ended and marked. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { markEnded } from '../../src/store/marking.ts';
import { type CutTarget, cut } from '../../src/store/revoke-scope.ts';
import { revokeEachSession, revokeSessions } from '../../src/store/revoke-sessions.ts';
import { markExpired } from '../../src/store/session-upkeep.ts';
import { backends, openStore } from '../support.ts';

const now = new Date();
const act = { at: now, actor: 'user:1', contract: 'v1', ipAddress: null, userAgent: '', requestId: null };
/** More than a cut marks at once, and more of one user than the marker marks at once. */
const EACH = 130;

describe.each(backends())('the event that ended a session, %s', (backend) => {
  let database: Database;
  let sids: string[];
  const query = async (text: string, values: unknown[] = []) => (await database.query({ text, values })).rows;

  beforeEach(async () => {
    if (!database) {
      database = await openStore(backend);
      await query(`insert into tenants (id, created_at) values ('acme', now())`);
      await query(
        `insert into users (email, created_at) select 'u' || i || '@example.com', now() from generate_series(1, 2) i`,
      );
    }
    await query('truncate user_sessions, cuts, tokens, events');
    const rows = await query(
      `insert into user_sessions (id, user_id, client_id, device_id, contract, born, created_at, last_seen_at,
         idle_seconds, idle_expires_at, expires_at, tenant)
       select gen_random_uuid(), 1 + i % 2, 'shop', 'd' || i % 100, 'v1', nextval('positions'), now(), now(), 600,
         now() + interval '1 hour', now() + interval '1 day', 'acme'
       from generate_series(1, $1::int) i returning id`,
      [2 * EACH],
    );
    sids = rows.map(({ id }) => id);
  });
  afterAll(() => database?.close());

  /** The positions in the rows of sessions that are over, and those of the events that name or cut them. */
  const positions = async (where = 'true'): Promise<number[]> =>
    (
      await query(
        `select distinct ended_position as at from user_sessions where not is_active and ${where} order by 1`,
      )
    ).map(({ at }) => at);
  const events = async (): Promise<number[]> =>
    (await query('select position from events order by position')).map(({ position }) => position);

  test('a list has one event for all', async () => {
    const [a = '', b = ''] = sids;
    const ending = await revokeSessions(database, [a, b], {}, act, 'logout');
    expect(ending?.ended).toHaveLength(2);
    expect(await positions()).toEqual([ending?.event.position]);
    expect(await events()).toEqual(await positions());
    expect(await revokeSessions(database, [a, b], {}, act, 'logout')).toBeNull();
    expect(await events()).toHaveLength(1);
  });

  test.each(['wait', 'leave'] as const)(
    'single logouts that share a commit have one each (%s)',
    async (locked) => {
      const asked = (await query('select id, user_id from user_sessions limit 3')).map(({ id, user_id }) => ({
        sid: id,
        userId: user_id,
        act,
        reason: 'logout' as const,
      }));
      const endings = await revokeEachSession(database, asked, locked);
      for (const [i, one] of asked.entries()) {
        const ending = endings[i];
        if (!ending || ending === 'held') throw new Error('it was not ended');
        expect(await positions(`id = '${one.sid}'`)).toEqual([ending.event.position]);
      }
      expect(await positions()).toEqual(await events());
    },
  );

  const targets: [string, CutTarget][] = [
    ['a user', { scope: 'user', userId: 1 }],
    ['users', { scope: 'users', userIds: [1, 2] }],
    ['a device', { scope: 'device', userId: 1, deviceId: 'd2' }],
    ['a client', { scope: 'client', clientId: 'shop' }],
    ['a grant', { scope: 'grant', userId: 1, clientId: 'shop' }],
    ['a tenant', { scope: 'tenant', tenant: 'acme' }],
    ['everyone', { scope: 'everyone' }],
  ];
  test.each(targets)('a cut of %s has one, and the marker finds it', async (_name, target) => {
    const { event } = await cut(database, target, act, 'logout');
    await markEnded(database, [event], 50);
    expect(await positions()).toEqual([event.position]);
    expect(await query('select id from open_sessions')).toEqual(
      await query('select id from user_sessions where is_active'),
    );
  });

  test('a cut of a login has one, for the login and its children', async () => {
    const [login = ''] = await query('select id from user_sessions where user_id = 1 limit 1').then((rows) =>
      rows.map(({ id }) => id as string),
    );
    await query('update user_sessions set login = $1 where user_id = 1 and id <> $1', [login]);
    const { event } = await cut(database, { scope: 'login', login }, act, 'logout');
    // The login at once, its many children by the marker.
    expect(await positions()).toEqual([event.position]);
    await markEnded(database, [event], 50);
    expect(await positions('user_id = 1')).toEqual([event.position]);
    const [{ left }] = await query(
      'select count(*) as left from user_sessions where is_active and user_id = 1',
    );
    expect(left).toBe(0);
    expect(event).toMatchObject({ scope: 'login', user_id: 1, login });
  });

  test('of two cuts the first counts', async () => {
    const first = await cut(database, { scope: 'user', userId: 1 }, act, 'logout');
    const second = await cut(database, { scope: 'everyone' }, act, 'logout');
    await markEnded(database, [first.event, second.event], 50);
    expect(await positions('user_id = 1')).toEqual([first.event.position]);
    expect(await positions('user_id = 2')).toEqual([second.event.position]);
  });

  test('a session that expires has none', async () => {
    const [sid] = sids;
    await query(
      `update user_sessions set expires_at = now() - interval '1 hour', idle_expires_at = now() - interval '1 hour'
      where id = $1`,
      [sid],
    );
    expect(await markExpired(database, now, 100)).toHaveLength(1);
    expect(await positions()).toEqual([null]);
  });
});
