import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, backends, SERVICE_KEY } from '../support.ts';
import { openPlace, type Place, pause, quickPasswords, repeat, until } from './node.ts';

interface Login {
  answeredMs: number;
  sid: string;
  bearer: string;
}

/** Many logins that fail are what these tests are about. */
const NO_LIMITS = {
  CURFEW_LOGIN_FAILURES_PAIR: '1000000',
  CURFEW_LOGIN_FAILURES_ADDRESS: '1000000',
  CURFEW_LOGIN_FAILURES_ACCOUNT: '1000000',
};

describe.each(backends())('login, %s', (backend) => {
  const rounds = backend === 'postgres' ? 60 : 20;
  let on: Place;
  beforeAll(async () => {
    // A password takes some milliseconds to prove: enough for something else to happen in between.
    on = await openPlace(backend, NO_LIMITS, { passwords: quickPasswords(() => Math.random() * 6) });
  });
  afterAll(() => on.close());

  async function logIn(i: number, email: string, delayMs: number): Promise<Login | Answer> {
    await pause(delayMs);
    const answer = await on.at(i).call('POST', '/v1/login', { body: { email, password: 'secret' } });
    if (answer.status !== 200) return answer;
    return { answeredMs: performance.now(), sid: answer.json.session.id, bearer: answer.json.access_token };
  }
  const loggedIn = (logins: (Login | Answer)[]): Login[] =>
    logins.filter((login): login is Login => 'sid' in login);

  /** How long six logins take here and now: as wide are the races, or on a busy machine nothing meets. */
  async function spanMs(): Promise<number> {
    const user = await on.user();
    const beganMs = performance.now();
    await Promise.all(Array.from({ length: 6 }, (_, i) => logIn(i, user.email, 0)));
    return performance.now() - beganMs;
  }

  const aliveAt = async (login: Login): Promise<boolean[]> =>
    Promise.all(
      on.nodes.map(
        async (node) => (await node.call('GET', '/v1/check', { bearer: login.bearer })).status === 200,
      ),
    );

  const admin = (method: string, path: string, i: number, body?: object): Promise<Answer> =>
    on.at(i).call(method, path, { bearer: SERVICE_KEY, ...(body === undefined ? {} : { body }) });

  test('racing a logout of all: who was born above the cut lives, and nobody else', async () => {
    let lived = 0;
    let died = 0;
    const users: number[] = [];
    const span = await spanMs();
    await repeat(rounds, async (round) => {
      const user = await on.user();
      users.push(user.id);
      const first = await logIn(round, user.email, 0);
      if (!('bearer' in first)) throw new Error('the first login failed');
      const logins = Array.from({ length: 6 }, (_, i) => logIn(i, user.email, Math.random() * span));
      await pause(Math.random() * 1.2 * span);
      const calledMs = performance.now();
      const out = await (round % 2 === 0
        ? on.at(round).call('POST', '/v1/logout', { bearer: first.bearer, body: { scope: 'all' } })
        : admin('POST', '/v1/admin/logout', round, { scope: 'users', user_ids: [user.id] }));
      expect(out.status).toBe(200);
      const [cut] = await on.rows<{ position: number }>(
        'select position from cuts where key = $1',
        `user:${user.id}`,
      );
      const all = loggedIn([first, ...(await Promise.all(logins))]);
      expect(all.length).toBe(7);
      for (const login of all) {
        const [row] = await on.rows<{ born: number }>(
          'select born from user_sessions where id = $1',
          login.sid,
        );
        const lives = (row?.born ?? 0) > (cut?.position ?? 0);
        expect([login.sid, ...(await aliveAt(login))]).toEqual([login.sid, ...on.nodes.map(() => lives)]);
        if (login.answeredMs < calledMs) expect(lives).toBe(false);
        if (lives) lived++;
        else died++;
      }
    });
    // Both happened, or nothing was raced.
    expect(lived).toBeGreaterThan(0);
    expect(died).toBeGreaterThan(rounds);
    // For the reader of the table (contract 001): what is over says so before long, whoever committed late.
    await until('every row under a cut is marked', async () => {
      const left = await on.rows(
        `select 1 from user_sessions s join cuts c on c.key = 'user:' || s.user_id
         where s.is_active and s.born < c.position and s.user_id = any($1::bigint[])`,
        users,
      );
      return left.length === 0;
    });
  });

  const changes: [string, (userId: number, i: number) => Promise<Answer>][] = [
    [
      'a password reset',
      (id, i) => admin('POST', `/v1/admin/users/${id}/password`, i, { password: 'another one of theirs' }),
    ],
    ['disabling', (id, i) => admin('PATCH', `/v1/admin/users/${id}`, i, { disabled: true })],
    ['deleting', (id, i) => admin('DELETE', `/v1/admin/users/${id}`, i)],
  ];
  test.each(changes)('racing %s: the old password leaves no live session behind', async (name, change) => {
    let before = 0;
    let refused = 0;
    const span = await spanMs();
    await repeat(rounds, async (round) => {
      const user = await on.user();
      const logins = Array.from({ length: 6 }, (_, i) => logIn(i, user.email, Math.random() * span));
      await pause(Math.random() * 1.2 * span);
      const changed = await change(user.id, round);
      expect([200, 204]).toContain(changed.status);
      const outcomes = await Promise.all(logins);
      const started = loggedIn(outcomes);
      for (const login of started) expect(await aliveAt(login)).toEqual(on.nodes.map(() => false));
      if (name === 'disabling') {
        expect((await admin('PATCH', `/v1/admin/users/${user.id}`, round, { disabled: false })).status).toBe(
          200,
        );
        for (const login of started) expect(await aliveAt(login)).toEqual(on.nodes.map(() => false));
      }
      for (const outcome of outcomes) if (!('sid' in outcome)) expect(outcome.status).toBe(401);
      before += started.length;
      refused += outcomes.length - started.length;
    });
    expect(before).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });

  test("racing the owner's own change of password: that session alone lives", async () => {
    const span = await spanMs();
    await repeat(rounds, async (round) => {
      const user = await on.user();
      const own = await logIn(round, user.email, 0);
      if (!('bearer' in own)) throw new Error('the login failed');
      const logins = Array.from({ length: 4 }, (_, i) => logIn(i, user.email, Math.random() * span));
      await pause(Math.random() * 0.5 * span);
      const changed = await on.at(round).call('POST', '/v1/password', {
        bearer: own.bearer,
        body: { current_password: 'secret', new_password: 'another one of mine' },
      });
      expect(changed.status).toBe(200);
      const started = loggedIn(await Promise.all(logins));
      for (const login of started) expect(await aliveAt(login)).toEqual(on.nodes.map(() => false));
      expect(await aliveAt(own)).toEqual(on.nodes.map(() => false));
      const renewed = { ...own, bearer: changed.json.access_token as string };
      expect(await aliveAt(renewed)).toEqual(on.nodes.map(() => true));
    });
  });

  test('racing a change of role: no answer with the old role after the change has answered', async () => {
    const span = await spanMs();
    await repeat(rounds, async (round) => {
      const user = await on.user();
      const [from, to] = ['user', 'admin'];
      const own = await logIn(round, user.email, 0);
      if (!('bearer' in own)) throw new Error('the login failed');
      let answeredMs = Number.POSITIVE_INFINITY;
      let over = false;
      const stale: string[] = [];
      const use = async (login: Login | Answer): Promise<void> => {
        if (!('bearer' in login)) return;
        for (let i = 0; !over; i++) {
          const askedMs = performance.now();
          const { status, headers } = await on.at(i).call('GET', '/v1/check', { bearer: login.bearer });
          const role = headers.get('curfew-role');
          if (status === 200 && role !== to && askedMs > answeredMs) stale.push(`${login.sid}: ${role}`);
          await pause(0);
        }
      };
      const uses = [
        use(own),
        ...Array.from({ length: 6 }, async (_, i) => use(await logIn(i, user.email, Math.random() * span))),
      ];
      await pause(Math.random() * 1.2 * span);
      expect(from).not.toBe(to);
      const changed = await admin('PATCH', `/v1/admin/users/${user.id}`, round, { role: to });
      answeredMs = performance.now();
      expect(changed.status).toBe(200);
      await pause(20);
      over = true;
      await Promise.all(uses);
      expect(stale).toEqual([]);
      // The role ends the others, and this one was one of them.
      expect(await aliveAt(own)).toEqual(on.nodes.map(() => false));
    });
  });
});
