/** A logout at one node, checks at another: a real second process, real connections, nothing but the lease between. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type ServerChild, startServer } from '../crash/server-child.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { type Answer, migrated, SERVICE_KEY } from '../support.ts';
import { type Checker, checkerOf, nextTurn, type Node, openNode, pause, repeat, until } from './node.ts';
import { insertUser } from '../../src/store/users.ts';

const LEASE_MS = 400;
/** Far more than a lease and its margin; far less than for ever. */
const SLACK_MS = 5000;

interface Session {
  sid: string;
  userId: number;
  deviceId: string;
  bearer: string;
}

type Out = (session: Session, other: Session) => Promise<Answer>;

describe.runIf(hasPostgres())('a logout at node A, checks at node B', () => {
  let url: string;
  let a: Node;
  let b: ServerChild;
  let checker: Checker;
  let users = 0;

  const startB = async (): Promise<void> => {
    b = await startServer({
      DATABASE_URL: `${url}?application_name=node_b`,
      CURFEW_LEASE_MS: String(LEASE_MS),
      LOG_LEVEL: 'info',
    });
    checker = checkerOf(b.url, 16);
  };

  beforeAll(async () => {
    url = await freshDatabase(migrated);
    a = await openNode({ DATABASE_URL: url, CURFEW_LEASE_MS: String(LEASE_MS) });
    await startB();
  });
  beforeEach(() => nextTurn());
  afterAll(async () => {
    checker?.close();
    b?.signal('SIGKILL');
    await b?.ended;
    await a.close();
  });

  const admin = (body: object): Promise<Answer> =>
    a.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body });

  async function user(): Promise<number> {
    const email = `u${++users}@example.com`;
    const made = await insertUser(
      a.world.database,
      { email, name: '', workspace: '', role: 'user', passwordHash: null },
      new Date(),
    );
    return made.id;
  }

  async function open(
    userId: number,
    transport: 'bearer' | 'opaque',
    clientId = 'default',
  ): Promise<Session> {
    const answer = await a.call('POST', '/v1/admin/sessions', {
      bearer: SERVICE_KEY,
      body: { user_id: userId, transport, client_id: clientId },
    });
    expect(answer.status).toBe(200);
    const { session } = answer.json;
    return {
      sid: session.id,
      userId,
      deviceId: session.device_id,
      bearer: answer.json.access_token ?? answer.json.session_token,
    };
  }

  /** What B's memory holds: two checks, of which the second is answered by it. */
  async function warm(...sessions: Session[]): Promise<void> {
    for (const { bearer } of sessions)
      for (let i = 0; i < 2; i++) expect(await checker.check(bearer)).toBe(200);
  }

  /**
   * Checks without a pause at B while the logout runs at A, and counts the yes to questions that were asked after the
   * logout had answered.
   */
  async function lateAccepts(sessions: Session[], out: () => Promise<Answer>): Promise<number> {
    let answeredMs = Number.POSITIVE_INFINITY;
    let late = 0;
    let over = false;
    const hammer = async (bearer: string): Promise<void> => {
      while (!over) {
        const askedMs = performance.now();
        if ((await checker.check(bearer)) === 200 && askedMs > answeredMs) late++;
      }
    };
    const hammers = sessions.flatMap(({ bearer }) => [hammer(bearer), hammer(bearer)]);
    const answer = await out();
    answeredMs = performance.now();
    expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
    for (const { bearer } of sessions) if ((await checker.check(bearer)) === 200) late++;
    await pause(2);
    over = true;
    await Promise.all(hammers);
    return late;
  }

  const own = (session: Session, body: object): Promise<Answer> =>
    a.call('POST', '/v1/logout', { bearer: session.bearer, body });

  const scopes: Record<string, { out: Out; alsoOther?: boolean; onlyOther?: boolean }> = {
    this: { out: (s) => own(s, { scope: 'this' }) },
    selected: { out: (s, o) => own(s, { scope: 'selected', sessions: [s.sid, o.sid] }), alsoOther: true },
    others: { out: (s) => own(s, { scope: 'others' }), onlyOther: true },
    all: { out: (s) => own(s, { scope: 'all' }), alsoOther: true },
    device: { out: (s) => own(s, { scope: 'device' }) },
    'admin sessions': { out: (s) => admin({ scope: 'sessions', sessions: [s.sid] }) },
    'admin user': { out: (s) => admin({ scope: 'user', user_id: s.userId }), alsoOther: true },
    'admin users': { out: (s) => admin({ scope: 'users', user_ids: [s.userId, 999_999] }), alsoOther: true },
    'admin device': { out: (s) => admin({ scope: 'device', user_id: s.userId, device_id: s.deviceId }) },
    'admin application': { out: () => admin({ scope: 'application', client_id: 'cookie' }), alsoOther: true },
    'admin everyone': {
      alsoOther: true,
      async out() {
        const counted = await admin({ scope: 'everyone' });
        return admin({ scope: 'everyone', confirm: counted.json['count'] });
      },
    },
    'contract 001': { out: (s) => a.call('POST', '/auth/logout', { bearer: s.bearer }), alsoOther: true },
    'contract 003': {
      out: (s) => a.call('POST', '/api/v1/auth/logout', { bearer: s.bearer }),
      alsoOther: true,
    },
    disabling: {
      out: (s) =>
        a.call('PATCH', `/v1/admin/users/${s.userId}`, { bearer: SERVICE_KEY, body: { disabled: true } }),
      alsoOther: true,
    },
  };

  async function round(name: string, i: number): Promise<number> {
    const scope = scopes[name];
    if (!scope) throw new Error(`no scope ${name}`);
    const userId = await user();
    const clientId = name === 'admin application' ? 'cookie' : 'default';
    const one = await open(userId, i % 2 === 0 ? 'bearer' : 'opaque', clientId);
    const other = await open(userId, i % 2 === 0 ? 'opaque' : 'bearer', clientId);
    await warm(one, other);
    const dead = scope.onlyOther ? [other] : scope.alsoOther ? [one, other] : [one];
    const late = await lateAccepts(dead, () => scope.out(one, other));
    const spared = [one, other].filter((session) => !dead.includes(session));
    for (const { bearer } of spared) expect(await checker.check(bearer)).toBe(200);
    return late;
  }

  test.each(Object.keys(scopes))('no late yes: %s', async (name) => {
    let late = 0;
    await repeat(25, async (i) => {
      late += await round(name, i);
    });
    expect(late).toBe(0);
  });

  test('the second of two logouts of one session says no more than is true', async () => {
    let late = 0;
    await repeat(40, async (i) => {
      const session = await open(await user(), i % 2 === 0 ? 'bearer' : 'opaque');
      await warm(session);
      const first = own(session, { scope: 'this' });
      late += await lateAccepts([session], async () => {
        const second = await own(session, { scope: 'this' });
        // 401: the first was quicker, and nothing was promised. Then its answer counts.
        return second.status === 401 ? first : second;
      });
      await first;
    });
    expect(late).toBe(0);
  });

  test('its listening connection cut: no late yes, and the answer comes with the lease', async () => {
    let over = false;
    const cut = async (): Promise<void> => {
      while (!over) {
        await a.world.database.query({
          text: `select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name = 'node_b' and query ilike 'listen%' and datname = current_database()`,
          values: [],
        });
        await pause(5);
      }
    };
    const cutting = cut();
    onTestFinished(() => {
      over = true;
    });
    let late = 0;
    let waitedOut = 0;
    await repeat(10, async (i) => {
      const session = await open(await user(), i % 2 === 0 ? 'bearer' : 'opaque');
      await warm(session);
      const startedMs = performance.now();
      late += await lateAccepts([session], async () => {
        const answer = await own(session, { scope: 'this' });
        waitedOut += Number(answer.json['waitedOut']);
        return answer;
      });
      expect(performance.now() - startedMs).toBeLessThan(LEASE_MS + SLACK_MS);
    });
    over = true;
    await cutting;
    expect(late).toBe(0);
    // Otherwise nothing was cut, and this test has shown nothing.
    expect(waitedOut).toBeGreaterThan(0);
    await until('B listens again', async () => {
      const session = await open(await user(), 'bearer');
      return (await own(session, { scope: 'this' })).json['acknowledged'] === 1;
    });
  });

  test.each([
    ['a little longer than its lease', LEASE_MS * 1.5],
    ['until it was taken out as silent', LEASE_MS * 8],
  ])('its process stopped %s and continued: no late yes', async (_how, stoppedMs) => {
    await repeat(2, async () => {
      const userId = await user();
      const sessions = await Promise.all(
        Array.from({ length: 6 }, (_, i) => open(userId, i % 2 === 0 ? 'bearer' : 'opaque')),
      );
      const [asking] = sessions;
      if (!asking) throw new Error('no session');
      await warm(...sessions);
      b.signal('SIGSTOP');
      const stoppedAtMs = performance.now();
      let questions: Promise<number[]> = Promise.resolve([]);
      try {
        const long = stoppedMs > LEASE_MS * 5;
        // Half of the longer stop goes by before the logout, so that it comes when B is not in the registry any more.
        if (long) await pause(stoppedMs);
        const startedMs = performance.now();
        const answer = await own(asking, { scope: 'all' });
        expect([answer.status, answer.json['confirmed']]).toEqual([200, true]);
        expect(performance.now() - startedMs).toBeLessThan(LEASE_MS + SLACK_MS);
        expect(answer.json['acknowledged']).toBe(0);
        // They wait in B's socket, and are the first that it reads when it goes on.
        questions = Promise.all(
          sessions.flatMap(({ bearer }) => [checker.check(bearer), checker.check(bearer)]),
        );
        await pause(Math.max(50, stoppedMs - (performance.now() - stoppedAtMs)));
      } finally {
        b.signal('SIGCONT');
      }
      expect(new Set(await questions)).toEqual(new Set([401]));
      for (let i = 0; i < 20; i++)
        for (const { bearer } of sessions) expect(await checker.check(bearer)).toBe(401);
      await until('B is back', async () => {
        const session = await open(userId, 'bearer');
        return (await own(session, { scope: 'this' })).json['acknowledged'] === 1;
      });
    });
  });

  const nodes = async (): Promise<number> =>
    (await a.world.database.query({ text: 'select 1 from nodes', values: [] })).rows.length;

  test('killed: logouts wait for it no longer than the lease, and after its silence not at all', async () => {
    b.signal('SIGKILL');
    await b.ended;
    checker.close();
    const first = await open(await user(), 'bearer');
    const startedMs = performance.now();
    const answer = await own(first, { scope: 'this' });
    expect([answer.status, answer.json['waitedOut']]).toEqual([200, 1]);
    expect(performance.now() - startedMs).toBeLessThan(LEASE_MS + SLACK_MS);
    await until('the dead node is taken out', async () => (await nodes()) === 1);
    const second = await open(await user(), 'bearer');
    const quick = await own(second, { scope: 'this' });
    expect([quick.status, quick.json['waitedOut'], quick.json['acknowledged']]).toEqual([200, 0, 0]);
  });

  test('left in order: nobody waits for it', async () => {
    await startB();
    expect(await nodes()).toBe(2);
    b.signal('SIGTERM');
    expect(await b.ended).toBe(0);
    expect(await nodes()).toBe(1);
    const session = await open(await user(), 'bearer');
    const answer = await own(session, { scope: 'this' });
    expect([answer.json['waitedOut'], answer.json['acknowledged']]).toEqual([0, 0]);
  });
});
