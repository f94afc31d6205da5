import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { EVERYWHERE, hold } from '../services/held-database.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import { answeredOrLocked, type Node, openPlace, type Place } from './node.ts';

interface Issued {
  access_token: string;
  refresh_token: string;
}

/** How each family that has refresh tokens logs in and refreshes. */
const FAMILIES = {
  v1: { login: '/v1/login', refresh: '/v1/refresh', of: (answer: Answer) => answer.json },
  '001': {
    login: '/auth/login',
    refresh: '/auth/refresh',
    of: (answer: Answer) => (answer.json as { data: unknown }).data,
  },
  '003': {
    login: '/api/v1/auth/login',
    refresh: '/api/v1/auth/refresh',
    of: (answer: Answer) => answer.json,
  },
} as const;
type Family = keyof typeof FAMILIES;
const families = Object.keys(FAMILIES) as Family[];

async function logIn(node: Node, family: Family, email: string): Promise<Issued> {
  const answer = await node.call('POST', FAMILIES[family].login, { body: { email, password: 'secret' } });
  expect(answer.status).toBe(200);
  return FAMILIES[family].of(answer) as Issued;
}

function refresh(node: Node, family: Family, token: string): Promise<Answer> {
  return node.call('POST', FAMILIES[family].refresh, { body: { refresh_token: token } });
}

const check = async (node: Node, bearer: string): Promise<number> =>
  (await node.call('GET', '/v1/check', { bearer })).status;

describe.runIf(hasPostgres())('refresh', () => {
  let on: Place;
  beforeAll(async () => {
    on = await openPlace('postgres');
  });
  afterAll(() => on.close());

  /** The refresh tokens of the user's only session: how many there are, how many of them unspent. */
  async function counted(userId: number): Promise<{ tokens: number; unspent: number }> {
    const [row] = await on.rows<{ tokens: number; unspent: number }>(
      `select count(*) as tokens, count(*) filter (where spent_at is null) as unspent
       from tokens t join user_sessions s on s.id = t.session_id where s.user_id = $1 and t.kind = 'refresh'`,
      userId,
    );
    return row ?? { tokens: 0, unspent: 0 };
  }

  const reasons = async (userId: number): Promise<unknown[]> =>
    (
      await on.rows<{ reason: string }>(
        `select reason from events where type = 'sessions_ended' and $1 = any(user_ids || user_id) order by position`,
        userId,
      )
    ).map((row) => row.reason);

  test.each(families)('64 uses at once give one successor: %s', async (family) => {
    const user = await on.user();
    const login = await logIn(on.at(0), family, user.email);
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, i) => refresh(on.at(i), family, login.refresh_token)),
    );
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    const issued = answers.map((answer) => FAMILIES[family].of(answer) as Issued);
    expect(new Set(issued.map((one) => one.refresh_token)).size).toBe(1);
    expect(new Set(issued.map((one) => one.access_token)).size).toBe(1);
    expect(await counted(user.id)).toEqual({ tokens: 2, unspent: 1 });
    for (const node of on.nodes) expect(await check(node, issued[0]?.access_token ?? '')).toBe(200);
  });

  const pairs = families.flatMap((family) => EVERYWHERE.map((at) => ({ family, at })));
  test.each(pairs)(
    'a second use on another node, while the first is $at, gives the same successor: $family',
    async ({ family, at }) => {
      const user = await on.user();
      const login = await logIn(on.at(0), family, user.email);
      const held = hold(on.at(0).world.database, 'rotate_refresh_token', at);
      const first = refresh(on.at(0), family, login.refresh_token);
      await held.reached;
      const second = refresh(on.at(1), family, login.refresh_token);
      await (at === 'uncommitted' ? answeredOrLocked(on, second) : second);
      held.release();
      const [one, other] = [await first, await second];
      expect([one.status, other.status]).toEqual([200, 200]);
      expect(FAMILIES[family].of(other)).toMatchObject({
        refresh_token: (FAMILIES[family].of(one) as Issued).refresh_token,
        access_token: (FAMILIES[family].of(one) as Issued).access_token,
      });
      expect(await counted(user.id)).toEqual({ tokens: 2, unspent: 1 });
    },
  );

  test('two tabs that refresh repeatedly stay in one family', async () => {
    const steps = 15;
    const user = await on.user();
    const { refresh_token: first } = await logIn(on.at(0), '003', user.email);
    const tab = async (node: Node): Promise<string[]> => {
      const seen = [first];
      for (let i = 0; i < steps; i++) {
        const answer = await refresh(node, '003', seen.at(-1) ?? '');
        expect(answer.status).toBe(200);
        seen.push((answer.json as unknown as Issued).refresh_token);
      }
      return seen;
    };
    const [one, other] = await Promise.all([tab(on.at(0)), tab(on.at(1))]);
    expect(other).toEqual(one);
    expect(await counted(user.id)).toEqual({ tokens: steps + 1, unspent: 1 });
  });

  test.each(families)(
    'until the end of the grace it gives the same successor, after it the session ends: %s',
    async (family) => {
      const user = await on.user();
      const login = await logIn(on.at(0), family, user.email);
      const bystander = await logIn(on.at(0), family, user.email);
      const successor = FAMILIES[family].of(await refresh(on.at(0), family, login.refresh_token)) as Issued;
      on.clock.advance(10);
      const again = await refresh(on.at(1), family, login.refresh_token);
      expect((FAMILIES[family].of(again) as Issued).refresh_token).toBe(successor.refresh_token);
      expect(await reasons(user.id)).toEqual([]);
      for (const node of on.nodes) expect(await check(node, successor.access_token)).toBe(200);

      on.clock.advance(0.001);
      for (const node of on.nodes) node.lines.length = 0;
      const replays = await Promise.all(
        Array.from({ length: 8 }, (_, i) => refresh(on.at(i), family, login.refresh_token)),
      );
      expect(new Set(replays.map((answer) => answer.status))).toEqual(new Set([401]));
      expect(await reasons(user.id)).toEqual(['refresh_replay']);
      const said = on.nodes
        .flatMap((node) => node.lines)
        .filter((line) => line.includes('spent refresh token'));
      expect(said.length).toBeGreaterThan(0);
      for (const node of on.nodes) {
        expect(await check(node, successor.access_token)).toBe(401);
        expect(await check(node, bystander.access_token)).toBe(200);
      }
      expect((await refresh(on.at(1), family, successor.refresh_token)).status).toBe(401);
      expect((await refresh(on.at(0), family, bystander.refresh_token)).status).toBe(200);
    },
  );

  test.each(families)(
    'that finds the session idle, and in use a moment later, succeeds: %s',
    async (family) => {
      const { id, email } = await on.user();
      const login = await logIn(on.at(0), family, email);
      const lastUsed = (when: string): Promise<unknown> =>
        on.rows(
          `update user_sessions set idle_expires_at = now() + $2::interval where user_id = $1`,
          id,
          when,
        );
      await lastUsed('-1 hour');
      const held = hold(on.at(0).world.database, 'refresh_token', 'before');
      const answer = refresh(on.at(0), family, login.refresh_token);
      await held.reached;
      // Another node writes the activity that it has in memory.
      await lastUsed('1 hour');
      held.release();
      expect((await answer).status).toBe(200);
      expect(await reasons(id)).toEqual([]);
    },
  );

  test('within the grace, but after a logout, it is refused without a replay', async () => {
    const user = await on.user();
    const login = await logIn(on.at(0), 'v1', user.email);
    const successor = (await refresh(on.at(0), 'v1', login.refresh_token)).json as unknown as Issued;
    expect((await on.at(1).call('POST', '/v1/logout', { bearer: successor.access_token })).status).toBe(200);
    for (const node of on.nodes)
      for (const token of [login.refresh_token, successor.refresh_token])
        expect((await refresh(node, 'v1', token)).status).toBe(401);
    expect(await reasons(user.id)).toEqual(['logout']);
  });

  const outs: [string, (bearer: string, userId: number) => Promise<Answer>][] = [
    ['of its own', (bearer) => on.at(0).call('POST', '/v1/logout', { bearer })],
    [
      'of all sessions of the user',
      (_bearer, userId) =>
        on.at(0).call('POST', '/v1/admin/logout', {
          bearer: SERVICE_KEY,
          body: { scope: 'user', user_id: userId },
        }),
    ],
  ];
  describe.each(outs)('racing a logout %s', (_name, out) => {
    const races = families.flatMap((family) =>
      EVERYWHERE.flatMap((at) => [
        { family, at, where: 'the same node', node: 0 },
        { family, at, where: 'another node', node: 1 },
      ]),
    );
    test.each(races)('$family, $at, at $where: it never revives the session', async (race) => {
      const { family, at } = race;
      const node = on.at(race.node);
      const user = await on.user();
      const login = await logIn(on.at(0), family, user.email);
      const held = hold(node.world.database, 'rotate_refresh_token', at);
      const refreshing = refresh(node, family, login.refresh_token);
      await held.reached;
      const ending = out(login.access_token, user.id);
      // A refresh that has been written, and is not committed, holds its session's row.
      await (at === 'uncommitted' ? answeredOrLocked(on, ending) : ending);
      held.release();
      expect((await ending).status).toBe(200);
      const answer = await refreshing;
      expect(answer.status).toBe(at === 'before' ? 401 : 200);
      const seen = answer.status === 200 ? [login, FAMILIES[family].of(answer) as Issued] : [login];
      for (const one of seen)
        for (const other of on.nodes) {
          expect(await check(other, one.access_token)).toBe(401);
          expect((await refresh(other, family, one.refresh_token)).status).toBe(401);
        }
    });
  });
});
