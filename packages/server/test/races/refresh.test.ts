import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, backends, SERVICE_KEY } from '../support.ts';
import { type Node, nextTurn, openPlace, type Place, pause, repeat } from './node.ts';

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

describe.each(backends())('refresh, %s', (backend) => {
  let on: Place;
  beforeAll(async () => {
    on = await openPlace(backend);
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
    await repeat(backend === 'postgres' ? 6 : 2, async () => {
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
  });

  test('two tabs that go on refreshing stay on one chain', async () => {
    const steps = 15;
    await repeat(3, async () => {
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
  });

  test.each(families)(
    'to the end of the grace the same successor, after it the session ends: %s',
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

  test('within the grace, but after a logout: refused, and no replay', async () => {
    const user = await on.user();
    const login = await logIn(on.at(0), 'v1', user.email);
    const successor = (await refresh(on.at(0), 'v1', login.refresh_token)).json as unknown as Issued;
    expect((await on.at(1).call('POST', '/v1/logout', { bearer: successor.access_token })).status).toBe(200);
    for (const node of on.nodes)
      for (const token of [login.refresh_token, successor.refresh_token])
        expect((await refresh(node, 'v1', token)).status).toBe(401);
    expect(await reasons(user.id)).toEqual(['logout']);
  });

  test('racing a logout never brings a session back', async () => {
    await repeat(backend === 'postgres' ? 60 : 15, async (round) => {
      const user = await on.user();
      const family = families[round % families.length] ?? 'v1';
      const login = await logIn(on.at(0), family, user.email);
      const seen = [login];
      let over = false;
      const tab = async (node: Node): Promise<void> => {
        for (let token = login.refresh_token; !over; ) {
          const answer = await refresh(node, family, token);
          if (answer.status !== 200) break;
          const next = FAMILIES[family].of(answer) as Issued;
          seen.push(next);
          token = next.refresh_token;
          // In one process nothing waits for the outside: without a turn of the loop no timer would ever run.
          await nextTurn();
        }
      };
      const tabs = [tab(on.at(0)), tab(on.at(1)), tab(on.at(1))];
      await pause(Math.random() * 10);
      const admin = { bearer: SERVICE_KEY };
      const out =
        round % 2 === 0
          ? await on.at(round).call('POST', '/v1/logout', { bearer: login.access_token })
          : await on.at(round).call('POST', '/v1/admin/logout', {
              ...admin,
              body: { scope: 'user', user_id: user.id },
            });
      expect(out.status).toBe(200);
      const dead = async (): Promise<void> => {
        for (const one of new Set(seen))
          for (const node of on.nodes) {
            expect(await check(node, one.access_token)).toBe(401);
            expect((await refresh(node, family, one.refresh_token)).status).toBe(401);
          }
      };
      await dead();
      over = true;
      await Promise.all(tabs);
      // What was answered to a refresh that the logout overtook is dead as well.
      await dead();
    });
  });
});
