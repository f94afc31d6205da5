/** Logins during endings: each stops before its session is written, before the commit, and before the answer. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { EVERYWHERE, type HeldAt, hold } from '../services/held-database.ts';
import { openHandClock, passUntil, timeOf } from '../services/hand-clock.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import { answeredOrLocked, type Node, openPlace, type Place } from './node.ts';

interface Login {
  sid: string;
  bearer: string;
}
interface User {
  id: number;
  email: string;
  /** A session that was opened before everything. */
  own: Login;
}
type Change = (user: User) => Promise<Answer>;

/** Where the login stops, and whether it is on the node of the change or on another one. */
const RACES = EVERYWHERE.flatMap((at) => [
  { at, where: 'the same node', node: 0 },
  { at, where: 'another node', node: 1 },
]);

describe.runIf(hasPostgres())('login', () => {
  const clock = openHandClock();
  let on: Place;
  beforeAll(async () => {
    on = await openPlace('postgres', {}, timeOf(clock));
  });
  afterAll(() => on.close());

  async function logIn(node: Node, email: string): Promise<Login | Answer> {
    const answer = await node.call('POST', '/v1/login', { body: { email, password: 'secret' } });
    if (answer.status !== 200) return answer;
    return { sid: answer.json.session.id, bearer: answer.json.access_token };
  }
  const isLogin = (outcome: Login | Answer): outcome is Login => 'bearer' in outcome;

  async function newUser(): Promise<User> {
    const user = await on.user();
    const own = await logIn(on.at(0), user.email);
    if (!isLogin(own)) throw new Error('the first login failed');
    return { ...user, own };
  }

  const checks = (login: Login): Promise<Answer[]> =>
    Promise.all(on.nodes.map((node) => node.call('GET', '/v1/check', { bearer: login.bearer })));
  const isAlive = async (login: Login): Promise<boolean> => {
    const statuses = (await checks(login)).map(({ status }) => status);
    expect([
      [200, 200],
      [401, 401],
    ]).toContainEqual(statuses);
    return statuses[0] === 200;
  };

  const admin = (method: string, path: string, body?: object): Promise<Answer> =>
    on.at(0).call(method, path, { bearer: SERVICE_KEY, ...(body === undefined ? {} : { body }) });

  /** Logs in, stops there, makes the change, goes on. */
  async function race(at: HeldAt, node: Node, user: User, change: Change): Promise<Login | Answer> {
    const held = hold(node.world.database, 'insert_session', at);
    const outcome = logIn(node, user.email);
    await held.reached;
    const changing = change(user);
    // A change of the user waits for a login that has been written and not committed.
    await (at === 'uncommitted' ? answeredOrLocked(on, changing) : changing);
    held.release();
    expect([200, 204]).toContain((await changing).status);
    return outcome;
  }

  const logouts: [string, Change][] = [
    [
      'of all one’s own sessions',
      ({ own }) => on.at(0).call('POST', '/v1/logout', { bearer: own.bearer, body: { scope: 'all' } }),
    ],
    [
      'by an administrator',
      ({ id }) => admin('POST', '/v1/admin/logout', { scope: 'users', user_ids: [id] }),
    ],
  ];
  describe.each(logouts)('racing a logout %s', (_name, logOut) => {
    test.each(RACES)(
      '$at, at $where: the session is alive exactly if it was born above the cut',
      async ({ at, node }) => {
        const user = await newUser();
        const login = await race(at, on.at(node), user, logOut);
        if (!isLogin(login)) throw new Error(login.text);
        expect(await isAlive(user.own)).toBe(false);
        expect(await isAlive(login)).toBe(at === 'before');
        const [place] = await on.rows<{ above: boolean }>(
          `select s.born > c.position as above from user_sessions s join cuts c on c.key = 'user:' || s.user_id where s.id = $1`,
          login.sid,
        );
        expect(place).toEqual({ above: at === 'before' });
        // For readers of the table (contract 001): ended rows are marked before long, however late they committed.
        await passUntil(clock, 'every row under a cut is marked', async () => {
          const left = await on.rows(
            `select 1 from user_sessions s join cuts c on c.key = 'user:' || s.user_id
           where s.is_active and s.born < c.position and s.user_id = $1`,
            user.id,
          );
          return left.length === 0;
        });
      },
    );
  });

  const changes: [string, Change][] = [
    [
      'a password reset',
      ({ id }) => admin('POST', `/v1/admin/users/${id}/password`, { password: 'another one of theirs' }),
    ],
    ['disabling', ({ id }) => admin('PATCH', `/v1/admin/users/${id}`, { disabled: true })],
    ['deleting', ({ id }) => admin('DELETE', `/v1/admin/users/${id}`)],
  ];
  describe.each(changes)('racing %s', (name, change) => {
    test.each(RACES)('$at, at $where: the old password leaves no live session', async ({ at, node }) => {
      const user = await newUser();
      const outcome = await race(at, on.at(node), user, change);
      expect(isLogin(outcome)).toBe(at !== 'before');
      const started = isLogin(outcome) ? [user.own, outcome] : [user.own];
      if (!isLogin(outcome)) expect(outcome.status).toBe(401);
      for (const login of started) expect(await isAlive(login)).toBe(false);
      if (name !== 'disabling') return;
      expect((await admin('PATCH', `/v1/admin/users/${user.id}`, { disabled: false })).status).toBe(200);
      for (const login of started) expect(await isAlive(login)).toBe(false);
    });
  });

  const changeOwn: Change = ({ own }) =>
    on.at(0).call('POST', '/v1/password', {
      bearer: own.bearer,
      body: { current_password: 'secret', new_password: 'another one of mine' },
    });
  const promote: Change = ({ id }) => admin('PATCH', `/v1/admin/users/${id}`, { role: 'admin' });

  /** The change stops where its cut has its position and nothing is committed; then a login begins. */
  async function logInWithin(statement: string, user: User, change: Change, node: Node) {
    const held = hold(on.at(0).world.database, statement, 'uncommitted');
    const changing = change(user);
    await held.reached;
    const outcome = logIn(node, user.email);
    // It would be born above the cut, with the user's old row.
    await answeredOrLocked(on, outcome);
    held.release();
    expect([200, 204]).toContain((await changing).status);
    return outcome;
  }
  const withinChanges = [...changes, ['an own change of password', changeOwn] as [string, Change]].flatMap(
    ([name, change]) => [0, 1].map((node) => ({ name, change, node })),
  );
  test.each(withinChanges)(
    'a login within the transaction of $name, at node $node, has the old password and is refused',
    async ({ change, node }) => {
      const user = await newUser();
      const outcome = await logInWithin('cut_user', user, change, on.at(node));
      expect(isLogin(outcome) ? await isAlive(outcome) : outcome.status).toBe(401);
    },
  );
  test.each([0, 1])(
    'a login within the transaction of a change of role, at node %s, has the new role',
    async (node) => {
      const user = await newUser();
      const login = await logInWithin('cut_user', user, promote, on.at(node));
      if (!isLogin(login)) throw new Error(login.text);
      const found = (await checks(login)).map(({ status, headers }) => [status, headers.get('curfew-role')]);
      expect(found).toEqual(on.nodes.map(() => [200, 'admin']));
    },
  );

  test.each(RACES)(
    'racing the owner’s own change of password, $at, at $where: only that session is alive',
    async ({ at, node }) => {
      const user = await newUser();
      let renewed: Login | undefined;
      const outcome = await race(at, on.at(node), user, async (changing) => {
        const changed = await changeOwn(changing);
        renewed = { ...changing.own, bearer: String(changed.json['access_token']) };
        return changed;
      });
      expect(isLogin(outcome)).toBe(at !== 'before');
      if (isLogin(outcome)) expect(await isAlive(outcome)).toBe(false);
      expect(await isAlive(user.own)).toBe(false);
      expect(renewed && (await isAlive(renewed))).toBe(true);
    },
  );

  test.each(RACES)(
    'racing a change of role, $at, at $where: it has the new role, or is over',
    async ({ at, node }) => {
      const user = await newUser();
      const login = await race(at, on.at(node), user, promote);
      if (!isLogin(login)) throw new Error(login.text);
      const found = (await checks(login)).map(({ status, headers }) => [status, headers.get('curfew-role')]);
      expect(found).toEqual(on.nodes.map(() => (at === 'before' ? [200, 'admin'] : [401, null])));
      expect(await isAlive(user.own)).toBe(false);
    },
  );

  test.each([
    ['the same node', 0],
    ['another node', 1],
  ])('a check under way at %s when the role changed: no later one gets the old role', async (_where, at) => {
    const { own, ...user } = await newUser();
    const node = on.at(at);
    node.world.memory.forget();
    const held = hold(node.world.database, 'session_of_id', 'after');
    const early = node.call('GET', '/v1/check', { bearer: own.bearer });
    await held.reached;
    expect((await promote({ ...user, own })).status).toBe(200);
    const late = node.call('GET', '/v1/check', { bearer: own.bearer });
    held.release();
    // The early one began before the change; either answer is right for it.
    expect([200, 401]).toContain((await early).status);
    expect((await late).status).toBe(401);
    expect(await isAlive(own)).toBe(false);
  });
});
