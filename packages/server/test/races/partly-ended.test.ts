/**
 * An ending that names sessions that another node ended a moment ago: it is confirmed only when this node and its verifiers hold
 * that ending too. The node's reads of the log are held back, so that its memory alone would still accept them.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasPostgres } from '../services/fresh-database.ts';
import { countUnderWay } from '../services/held-database.ts';
import { type Answer, SERVICE_KEY } from '../support.ts';
import { newUser, type OpenSession, opened } from '../http/logins.ts';
import { type Node, openPlace, type Place, until } from './node.ts';
import { type InProcessVerifier, verifierOf } from './verifier.ts';

/** Longer than this file takes: nothing here is right because a lease has run out. */
const LEASE_MS = 60_000;

describe.skipIf(!hasPostgres())('an ending of sessions that another node has ended', () => {
  let place: Place;
  let faster: Node;
  let node: Node;
  let verifier: InProcessVerifier;
  let release = (): void => undefined;
  let held: Promise<void> | null = null;
  let reads: () => number;

  beforeAll(async () => {
    place = await openPlace('postgres', { CURFEW_LEASE_MS: String(LEASE_MS) });
    [faster, node] = [place.at(0), place.at(1)];
    const { database } = node.world;
    reads = countUnderWay(database, 'next_endings');
    const query = database.query.bind(database);
    Object.assign(database, {
      query: async (config: Parameters<typeof query>[0]) => {
        if (config.name === 'next_endings') await held;
        return query(config);
      },
    });
    verifier = verifierOf(node);
  });
  afterAll(async () => {
    verifier.stop();
    await place.close();
  });
  beforeEach(() => {
    held = new Promise((go) => (release = go));
  });
  afterEach(() => release());

  interface Case {
    userId: number;
    /** Ended by the faster node. */
    gone: OpenSession;
    token: string;
    /** Alive until this node ends it. */
    mine: OpenSession;
  }

  /** This node's answer about a credential, and its verifier's answer about a token. */
  const check = async (bearer: string): Promise<number> => {
    const { status } = await node.call('GET', '/v1/check', { bearer });
    return bearer.startsWith('eyJ') && verifier.accepts(bearer) ? 200 : status;
  };
  const byKey = (at: Node, method: string, path: string, body?: object): Promise<Answer> =>
    at.call(method, path, { bearer: SERVICE_KEY, body });
  const own = (session: OpenSession, body: object): Promise<Answer> =>
    node.call('POST', '/v1/logout', { bearer: session.bearer, body });
  const admin = (body: object): Promise<Answer> => byKey(node, 'POST', '/v1/admin/logout', body);

  async function openCase(): Promise<Case> {
    const user = await newUser(node.call);
    const gone = await opened(node.call, user.id);
    const mine = await opened(node.call, user.id);
    const opaque = await byKey(node, 'POST', '/v1/admin/sessions', { user_id: user.id, transport: 'opaque' });
    const all = { userId: user.id, gone, mine, token: opaque.json['session_token'] as string };
    for (const bearer of [gone.bearer, mine.bearer, all.token])
      for (let i = 0; i < 2; i++) expect(await check(bearer)).toBe(200);
    return all;
  }

  const active = async (sid: string): Promise<boolean> =>
    (await place.rows('select 1 from open_sessions where id = $1', sid)).length > 0;

  /** A logout on this node that no held read concerns: once it has answered, so has everything that waits for no read. */
  async function unrelated(): Promise<void> {
    const session = await opened(node.call, (await newUser(node.call)).id);
    expect((await own(session, { scope: 'this' })).json['confirmed']).toBe(true);
  }

  /**
   * Runs an ending on this node after the faster node has committed its own. Once it answers, this node accepts none of the
   * sessions.
   * @returns the answer, and whether it came before the log could be read
   */
  async function race(
    earlier: () => Promise<Answer>,
    over: () => Promise<boolean>,
    out: () => Promise<Answer>,
    dead: string[],
  ): Promise<{ answer: Answer; early: boolean }> {
    // One that was sent before might see the faster node's commit.
    await until('no read is under way but those that are held', async () => reads() === 0);
    // It waits for this node, which cannot read, so its own answer comes last.
    const first = earlier();
    await until('the faster node has committed', over);
    let early = false;
    let released = false;
    const answering = out().then((answer) => {
      early = !released;
      return answer;
    });
    for (let i = 0; i < 2; i++) await unrelated();
    if (!early) {
      released = true;
      release();
    }
    const answer = await answering;
    expect([early, ...(await Promise.all(dead.map(check)))]).toEqual([early, ...dead.map(() => 401)]);
    release();
    await first;
    return { answer, early };
  }

  const endedBy = (session: OpenSession) => () =>
    byKey(faster, 'POST', '/v1/admin/logout', { scope: 'sessions', sessions: [session.sid] });

  const stranger = crypto.randomUUID();
  const partly: [string, (on: Case) => Promise<Answer>, (on: Case) => string[], number][] = [
    [
      'a list of which a part is over',
      ({ gone, mine }) => own(mine, { scope: 'selected', sessions: [mine.sid, gone.sid] }),
      ({ gone, mine }) => [gone.bearer, mine.bearer],
      200,
    ],
    [
      'a list of which all is over, with an unknown one',
      ({ gone, mine }) => own(mine, { scope: 'selected', sessions: [gone.sid, stranger] }),
      ({ gone }) => [gone.bearer],
      200,
    ],
    [
      "an administrator's list of which a part is over",
      ({ gone, mine }) => admin({ scope: 'sessions', sessions: [gone.sid, mine.sid] }),
      ({ gone, mine }) => [gone.bearer, mine.bearer],
      200,
    ],
    [
      'a session by its address',
      ({ gone, mine }) => node.call('DELETE', `/v1/sessions/${gone.sid}`, { bearer: mine.bearer }),
      ({ gone }) => [gone.bearer],
      404,
    ],
    ['the session that asks', ({ gone }) => own(gone, { scope: 'this' }), ({ gone }) => [gone.bearer], 200],
  ];

  test.each(partly)('%s', async (_name, out, dead, status) => {
    const on = await openCase();
    const { answer } = await race(
      endedBy(on.gone),
      async () => !(await active(on.gone.sid)),
      () => out(on),
      dead(on),
    );
    expect(answer.status).toBe(status);
    if (status === 200) expect(answer.json['confirmed']).toBe(true);
  });

  test.each([
    ['whose token memory knows', true],
    ['whose token this node has never seen', false],
  ])('contract 002: a session %s', async (_name, known) => {
    const on = await openCase();
    const token = known
      ? on.token
      : ((await byKey(faster, 'POST', '/v1/admin/sessions', { user_id: on.userId, transport: 'opaque' }))
          .json['session_token'] as string);
    const sid = (await faster.call('GET', '/v1/session', { bearer: token })).json.session.id as string;
    const { answer, early } = await race(
      () => byKey(faster, 'POST', '/v1/admin/logout', { scope: 'sessions', sessions: [sid] }),
      async () => !(await active(sid)),
      () => node.call('POST', `/api/auth/logout?userId=${on.userId}&sessionId=${token}`),
      [token],
    );
    expect([answer.status, early]).toEqual([404, false]);
  });

  const account: [string, string, object | undefined, number][] = [
    ['disabling an account', 'PATCH', { disabled: true }, 200],
    ['giving an account the role that it has', 'PATCH', { role: 'admin' }, 200],
    ['deleting an account', 'DELETE', undefined, 404],
  ];
  test.each(account)('%s', async (_name, method, body, status) => {
    const on = await openCase();
    const change = (at: Node): Promise<Answer> => byKey(at, method, `/v1/admin/users/${on.userId}`, body);
    const { answer } = await race(
      () => change(faster),
      async () => !(await active(on.mine.sid)),
      () => change(node),
      [on.gone.bearer, on.mine.bearer],
    );
    expect(answer.status).toBe(status);
  });

  test.each([
    ['PATCH', '', { disabled: true }],
    ['POST', '/password', {}],
  ])('a change of a deleted account: %s %s', async (method, path, body) => {
    const on = await openCase();
    const { answer } = await race(
      () => byKey(faster, 'DELETE', `/v1/admin/users/${on.userId}`),
      async () => !(await active(on.mine.sid)),
      () => byKey(node, method, `/v1/admin/users/${on.userId}${path}`, body),
      [on.gone.bearer, on.mine.bearer],
    );
    expect(answer.status).toBe(404);
  });

  test('gathered logouts: of a session that is over, and of one that is not', async () => {
    const on = await openCase();
    let late: Answer[] = [];
    await race(
      endedBy(on.gone),
      async () => !(await active(on.gone.sid)),
      async () => {
        late = await Promise.all([
          own(on.mine, { scope: 'this' }),
          own(on.gone, { scope: 'this' }),
          own(on.mine, { scope: 'this' }),
        ]);
        return late[1] as Answer;
      },
      [on.gone.bearer, on.mine.bearer],
    );
    expect(late.map(({ json }) => json['ended'])).toEqual([1, 0, 0]);
  });

  test("another user's, unknown, expired and ended sessions are answered equally late, and look the same", async () => {
    const on = await openCase();
    const other = await openCase();
    const [expired] = [await opened(node.call, on.userId)];
    await place.rows(
      `update user_sessions set created_at = $2, expires_at = $2, idle_expires_at = $2 where id = $1`,
      expired.sid,
      new Date(0),
    );
    const dead = await opened(node.call, on.userId);
    await faster.call('POST', '/v1/admin/logout', {
      bearer: SERVICE_KEY,
      body: { scope: 'sessions', sessions: [dead.sid], wait: 'none' },
    });
    const token = `sess_${'A'.repeat(43)}`;
    const early: string[] = [];
    let released = false;
    const asked = (name: string, out: Promise<Answer>): Promise<Answer> =>
      out.then((answer) => {
        if (!released) early.push(name);
        return answer;
      });
    const byAddress = [other.mine.sid, stranger, expired.sid, dead.sid].map((sid) =>
      asked(`DELETE ${sid}`, node.call('DELETE', `/v1/sessions/${sid}`, { bearer: on.mine.bearer })),
    );
    const byToken = [
      [other.userId, token],
      [other.userId, on.token],
      ['9223372036854775807', on.token],
    ].map(([userId, sessionId]) =>
      asked(`002 ${userId}`, node.call('POST', `/api/auth/logout?userId=${userId}&sessionId=${sessionId}`)),
    );
    const lists = [other.mine.sid, stranger, expired.sid, dead.sid].map((sid) =>
      asked(`selected ${sid}`, own(on.mine, { scope: 'selected', sessions: [sid] })),
    );
    for (let i = 0; i < 2; i++) await unrelated();
    expect(early).toEqual([]);
    released = true;
    release();
    const bodies = async (answers: Promise<Answer>[]): Promise<unknown[]> =>
      (await Promise.all(answers)).map(({ status, json }) => [
        status,
        { ...json, timestamp: null, ms: null },
      ]);
    for (const answers of [byAddress, byToken, lists]) {
      const [first, ...others] = await bodies(answers);
      expect(others).toEqual(others.map(() => first));
    }
    expect(await Promise.all([other.mine.bearer, on.mine.bearer, on.token].map(check))).toEqual([
      200, 200, 200,
    ]);
  });

  test('an id named several times counts once, and a complete list waits for no read', async () => {
    const { mine, gone } = await openCase();
    const answer = await own(mine, {
      scope: 'selected',
      sessions: [mine.sid, gone.sid.toUpperCase(), mine.sid.toUpperCase(), gone.sid, mine.sid],
    });
    expect([answer.json['ended'], answer.json['confirmed']]).toEqual([2, true]);
    expect(await Promise.all([mine.bearer, gone.bearer].map(check))).toEqual([401, 401]);
  });

  test('a caller that does not wait is answered at once, and nothing is confirmed', async () => {
    const { mine, gone } = await openCase();
    const first = endedBy(gone)();
    await until('the faster node has committed', async () => !(await active(gone.sid)));
    const answers = [
      await own(mine, { scope: 'selected', sessions: [gone.sid], wait: 'none' }),
      await own(mine, { scope: 'selected', sessions: [mine.sid, gone.sid], wait: 'none' }),
    ];
    expect(answers.map(({ json }) => [json['ended'], json['confirmed']])).toEqual([
      [0, false],
      [1, false],
    ]);
    expect(await check(mine.bearer)).toBe(401);
    release();
    await first;
  });
});
