import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { saveActivity } from '../../src/store/session-upkeep.ts';
import { budget } from '../services/budget.ts';
import { type Answer, backends, ISSUER, SERVICE_KEY } from '../support.ts';
import { openPlace, type Place, repeat, until } from './node.ts';

interface Session {
  sid: string;
  bearer: string;
}

describe.each(backends())('logout, %s', (backend) => {
  // The embedded database has one connection, which does everything in turn: no round is another than the first.
  const rounds = backend === 'postgres' ? budget('RACE_ROUNDS') : 1;
  let on: Place;
  beforeAll(async () => {
    on = await openPlace(backend);
  });
  afterAll(() => on.close());

  async function open(userId: number, count: number, transport = 'bearer'): Promise<Session[]> {
    const answer = await on.at(0).call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: userId, transport, count },
    });
    expect(answer.status).toBe(200);
    return answer.json.sessions.map(
      (one: { session: { id: string }; access_token?: string; session_token?: string }) => ({
        sid: one.session.id,
        bearer: one.access_token ?? one.session_token,
      }),
    );
  }
  async function openOne(userId: number, transport = 'bearer'): Promise<Session> {
    const [one] = await open(userId, 1, transport);
    if (!one) throw new Error('no session');
    return one;
  }
  const endings = (userId: number): Promise<{ scope: string; session_ids: string[] | null }[]> =>
    on.rows(
      `select scope, session_ids from events where type = 'sessions_ended' and $1 = any(user_ids || user_id)
       order by position`,
      userId,
    );
  const statuses = (answers: Answer[]): number[] => [...new Set(answers.map((answer) => answer.status))];
  const deadEverywhere = async (sessions: Session[]): Promise<void> => {
    for (const node of on.nodes)
      for (const { bearer } of sessions)
        expect((await node.call('GET', '/v1/check', { bearer })).status).toBe(401);
  };

  const ways: [string, (session: Session, userId: number, i: number) => Promise<Answer>, number][] = [
    ['v1', ({ bearer }, _user, i) => on.at(i).call('POST', '/v1/logout', { bearer }), 401],
    [
      '002',
      ({ bearer }, userId, i) =>
        on.at(i).call('POST', `/api/auth/logout?userId=${userId}&sessionId=${bearer}`),
      404,
    ],
    [
      'an administrator',
      ({ sid }, _user, i) =>
        on.at(i).call('POST', '/v1/admin/logout', {
          bearer: SERVICE_KEY,
          body: { scope: 'sessions', sessions: [sid] },
        }),
      200,
    ],
  ];
  test.each(ways)(
    'of the same session twice, and 64 times at once: one event. By %s',
    async (_name, out, again) => {
      await repeat(3, async () => {
        const user = await on.user();
        const [first, second] = [await openOne(user.id, 'opaque'), await openOne(user.id, 'opaque')];
        expect((await out(first, user.id, 0)).status).toBe(200);
        expect((await out(first, user.id, 1)).status).toBe(again);
        expect((await out(first, user.id, 0)).status).toBe(again);
        const answers = await Promise.all(Array.from({ length: 64 }, (_, i) => out(second, user.id, i)));
        expect(answers.filter((answer) => answer.status === 200).length).toBeGreaterThan(0);
        for (const status of statuses(answers)) expect([200, again]).toContain(status);
        expect((await endings(user.id)).map((event) => event.session_ids)).toEqual([
          [first.sid],
          [second.sid],
        ]);
        await deadEverywhere([first, second]);
      });
    },
  );

  test('of all, 64 times at once: one ends the sessions, the others find nothing', async () => {
    const user = await on.user();
    const sessions = await open(user.id, 8);
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, i) =>
        on.at(i).call('POST', '/auth/logout', { bearer: sessions[i % sessions.length]?.bearer ?? '' }),
      ),
    );
    for (const status of statuses(answers)) expect([200, 401]).toContain(status);
    const ended = (await endings(user.id)).flatMap((event) => event.session_ids ?? []);
    expect(ended.sort()).toEqual(sessions.map((session) => session.sid).sort());
    await deadEverywhere(sessions);
  });

  test('of lists in opposite orders, while activity is written: none fails', { tags: 'long' }, async () => {
    await repeat(rounds, async () => {
      const user = await on.user();
      const sessions = await open(user.id, 60);
      const sids = sessions.map((session) => session.sid);
      const list = (ids: string[], i: number): Promise<Answer> =>
        on.at(i).call('POST', '/v1/admin/logout', {
          bearer: SERVICE_KEY,
          body: { scope: 'sessions', sessions: ids },
        });
      const write = (ids: string[], i: number): Promise<void> =>
        saveActivity(
          on.at(i).world.database,
          ids.map((sid) => ({ sid, seen: on.clock.now(), audience: null })),
          ISSUER,
        );
      const backwards = sids.toReversed();
      const [, , , , ...answers] = await Promise.all([
        write(sids, 0),
        write(backwards, 1),
        write(sids, 1),
        write(backwards, 0),
        list(sids, 0),
        list(backwards, 1),
        list(sids.filter((_, i) => i % 2 === 0).toReversed(), 0),
        ...sessions.slice(0, 10).map(({ bearer }, i) => on.at(i).call('POST', '/v1/logout', { bearer })),
      ]);
      for (const answer of answers) expect([200, 401]).toContain(answer.status);
      const ended = (await endings(user.id)).flatMap((event) => event.session_ids ?? []);
      expect(ended.sort()).toEqual(sids.toSorted());
      await deadEverywhere(sessions.slice(0, 3));
    });
  });

  test('of users in opposite orders, while they are changed: none fails', {
    tags: 'long',
  }, async () => {
    await repeat(rounds, async () => {
      const users = await Promise.all(Array.from({ length: 12 }, () => on.user()));
      const ids = users.map((user) => user.id);
      const sessions = (await Promise.all(ids.map((id) => open(id, 2)))).flat();
      const list = (userIds: number[], i: number): Promise<Answer> =>
        on.at(i).call('POST', '/v1/admin/logout', {
          bearer: SERVICE_KEY,
          body: { scope: 'users', user_ids: userIds },
        });
      const answers = await Promise.all([
        list(ids, 0),
        list(ids.toReversed(), 1),
        list(ids.slice(3).toReversed(), 0),
        ...sessions.map(({ bearer }, i) =>
          on.at(i).call('POST', '/v1/logout', { bearer, body: { scope: i % 3 === 0 ? 'all' : 'others' } }),
        ),
        ...ids.map((id, i) =>
          on.at(i).call('PATCH', `/v1/admin/users/${id}`, { bearer: SERVICE_KEY, body: { role: 'admin' } }),
        ),
      ]);
      for (const answer of answers) expect([200, 401]).toContain(answer.status);
      await deadEverywhere(sessions);
    });
  });

  test('of a session whose use is not written yet: it ends all the same', async () => {
    const week = 7 * 86_400;
    for (const how of ['this', 'selected', '002'] as const) {
      const user = await on.user();
      const { sid, bearer } = await openOne(user.id, 'opaque');
      const node = on.at(0);
      const check = async (): Promise<number> => (await node.call('GET', '/v1/check', { bearer })).status;
      on.clock.advance(week - 3);
      await until('this node is fresh', async () => node.world.nodes.node.isFresh());
      expect(await check()).toBe(200);
      on.clock.advance(5);
      await until('this node is fresh', async () => node.world.nodes.node.isFresh());
      // Either its activity has just been written, or memory alone knows of it.
      expect(await check()).toBe(200);
      const out =
        how === '002'
          ? await node.call('POST', `/api/auth/logout?userId=${user.id}&sessionId=${bearer}`)
          : await node.call('POST', '/v1/logout', { bearer, body: { scope: how, sessions: [sid] } });
      expect([how, out.status]).toEqual([how, 200]);
      expect([how, await check()]).toEqual([how, 401]);
    }
  });

  test('of the others, by two sessions at once: at most one session is left', { tags: 'long' }, async () => {
    await repeat(rounds, async () => {
      const user = await on.user();
      const sessions = await open(user.id, 4);
      const answers = await Promise.all(
        sessions.map(({ bearer }, i) =>
          on.at(i).call('POST', '/v1/logout', { bearer, body: { scope: 'others' } }),
        ),
      );
      for (const answer of answers) expect([200, 401]).toContain(answer.status);
      for (const node of on.nodes) {
        const alive = await Promise.all(
          sessions.map(
            async ({ bearer }) => (await node.call('GET', '/v1/check', { bearer })).status === 200,
          ),
        );
        expect(alive.filter(Boolean).length).toBeLessThanOrEqual(1);
      }
    });
  });
});
