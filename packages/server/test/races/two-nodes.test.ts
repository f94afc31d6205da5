/** A logout at one node, checks at another: a real second process, real connections, nothing but the lease between. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type ServerChild, startServer } from '../crash/server-child.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { type Answer, migrated, SERVICE_KEY } from '../support.ts';
import { countUnderWay, hold } from '../services/held-database.ts';
import {
  type Checker,
  checkerOf,
  nextTurn,
  type Node,
  openNode,
  openPlace,
  pause,
  type Place,
  until,
} from './node.ts';
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

/** Logs out at a node: one session of a user, or several. */
type Out = (at: Node, session: Session, other: Session) => Promise<Answer>;

const admin = (at: Node, body: object): Promise<Answer> =>
  at.call('POST', '/v1/admin/logout', { bearer: SERVICE_KEY, body });
const own = (at: Node, session: Session, body: object): Promise<Answer> =>
  at.call('POST', '/v1/logout', { bearer: session.bearer, body });

const SCOPES: Record<string, { out: Out; alsoOther?: boolean; onlyOther?: boolean }> = {
  this: { out: (at, s) => own(at, s, { scope: 'this' }) },
  selected: {
    out: (at, s, o) => own(at, s, { scope: 'selected', sessions: [s.sid, o.sid] }),
    alsoOther: true,
  },
  others: { out: (at, s) => own(at, s, { scope: 'others' }), onlyOther: true },
  all: { out: (at, s) => own(at, s, { scope: 'all' }), alsoOther: true },
  device: { out: (at, s) => own(at, s, { scope: 'device' }) },
  'admin sessions': { out: (at, s) => admin(at, { scope: 'sessions', sessions: [s.sid] }) },
  'admin user': { out: (at, s) => admin(at, { scope: 'user', user_id: s.userId }), alsoOther: true },
  'admin users': {
    out: (at, s) => admin(at, { scope: 'users', user_ids: [s.userId, 999_999] }),
    alsoOther: true,
  },
  'admin device': {
    out: (at, s) => admin(at, { scope: 'device', user_id: s.userId, device_id: s.deviceId }),
  },
  'admin application': {
    out: (at) => admin(at, { scope: 'client', client_id: 'cookie' }),
    alsoOther: true,
  },
  'admin everyone': {
    alsoOther: true,
    async out(at) {
      const counted = await admin(at, { scope: 'everyone' });
      return admin(at, { scope: 'everyone', confirm: counted.json['count'] });
    },
  },
  'contract 001': { out: (at, s) => at.call('POST', '/auth/logout', { bearer: s.bearer }), alsoOther: true },
  'contract 003': {
    out: (at, s) => at.call('POST', '/api/v1/auth/logout', { bearer: s.bearer }),
    alsoOther: true,
  },
  disabling: {
    out: (at, s) =>
      at.call('PATCH', `/v1/admin/users/${s.userId}`, { bearer: SERVICE_KEY, body: { disabled: true } }),
    alsoOther: true,
  },
};

let users = 0;
async function newUser({ world }: Node): Promise<number> {
  const email = `u${++users}@example.com`;
  const user = { email, name: '', workspace: '', role: 'user', passwordHash: null } as const;
  return (await insertUser(world.database, user, new Date())).id;
}

async function open(
  at: Node,
  userId: number,
  transport: 'bearer' | 'opaque',
  clientId = 'default',
): Promise<Session> {
  const answer = await at.call('POST', '/v1/admin/sessions', {
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

/** Two sessions of a user: one of them signed, the other opaque, and which of them a logout of that scope ends. */
async function openTwo(
  at: Node,
  name: string,
  signedFirst: boolean,
): Promise<{ one: Session; other: Session; dead: Session[]; spared: Session[]; out: () => Promise<Answer> }> {
  const scope = SCOPES[name];
  if (!scope) throw new Error(`no scope ${name}`);
  const userId = await newUser(at);
  const clientId = name === 'admin application' ? 'cookie' : 'default';
  const one = await open(at, userId, signedFirst ? 'bearer' : 'opaque', clientId);
  const other = await open(at, userId, signedFirst ? 'opaque' : 'bearer', clientId);
  const dead = scope.onlyOther ? [other] : scope.alsoOther ? [one, other] : [one];
  const spared = [one, other].filter((session) => !dead.includes(session));
  return { one, other, dead, spared, out: () => scope.out(at, one, other) };
}

/** Node B is in this process and its reads of the log are held, for longer than which its lease lasts: so it answers from memory. */
describe.runIf(hasPostgres())('a logout at node A while node B has not read it', () => {
  let place: Place;
  let a: Node;
  let b: Node;
  let readsAtB: () => number;
  beforeAll(async () => {
    place = await openPlace('postgres', { CURFEW_LEASE_MS: '60000' });
    [a, b] = [place.at(0), place.at(1)];
    readsAtB = countUnderWay(b.world.database, 'next_endings');
  });
  afterAll(() => place.close());

  const checkAtB = async ({ bearer }: Session): Promise<number> =>
    (await b.call('GET', '/v1/check', { bearer })).status;
  const isOpen = async ({ sid }: Session): Promise<boolean> =>
    (await place.rows('select 1 from open_sessions where id = $1', sid)).length > 0;

  /** Logs out while B cannot read, and lets it read when A has had every occasion to answer too early. */
  async function heldBack(dead: Session[], out: () => Promise<Answer>): Promise<Answer> {
    // B accepts sessions whose ending it does not know yet.
    for (const session of dead) for (let i = 0; i < 2; i++) expect(await checkAtB(session)).toBe(200);
    const held = hold(b.world.database, 'next_endings', 'before');
    // One that was sent before might see the logout.
    await until('no read is under way but the one that is held', async () => readsAtB() === 0);
    let answered = false;
    const answering = out().finally(() => {
      answered = true;
    });
    for (const session of dead) await until('it is committed', async () => !(await isOpen(session)));
    await held.reached;
    for (let i = 0; i < 10; i++) await place.rows('select 1');
    // An answer now would be a lie.
    expect([answered, ...(await Promise.all(dead.map(checkAtB)))]).toEqual([false, ...dead.map(() => 200)]);
    held.release();
    const answer = await answering;
    expect(await Promise.all(dead.map(checkAtB))).toEqual(dead.map(() => 401));
    return answer;
  }

  const cases = Object.keys(SCOPES).flatMap((name) => [
    { name, first: 'signed' },
    { name, first: 'opaque' },
  ]);
  test.each(cases)(
    'is answered when B has read it: $name, by a session that is $first',
    async ({ name, first }) => {
      const { dead, spared, out } = await openTwo(a, name, first === 'signed');
      const answer = await heldBack(dead, out);
      expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
      for (const session of spared) expect(await checkAtB(session)).toBe(200);
    },
  );

  test.each(['bearer', 'opaque'] as const)(
    'the second of two logouts of one session claims no more than is true: %s',
    async (transport) => {
      const session = await open(a, await newUser(a), transport);
      let second: Answer | undefined;
      await heldBack([session], async () => {
        const first = own(a, session, { scope: 'this' });
        await until('it is committed', async () => !(await isOpen(session)));
        second = await own(a, session, { scope: 'this' });
        // 401: the first was quicker, and nothing was promised. Then its answer counts.
        return second.status === 401 ? first : second;
      });
      expect([200, 401]).toContain(second?.status);
    },
  );
});

describe.runIf(hasPostgres())('a logout at node A, checks at node B', () => {
  let url: string;
  let a: Node;
  let b: ServerChild;
  let checker: Checker;

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

  /** The content of B's memory: two checks, the second of which memory answers. */
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

  test.each(Object.keys(SCOPES))('no late acceptance: %s', async (name) => {
    const { one, other, dead, spared, out } = await openTwo(a, name, true);
    await warm(one, other);
    expect(await lateAccepts(dead, out)).toBe(0);
    for (const { bearer } of spared) expect(await checker.check(bearer)).toBe(200);
  });

  test('its listening connection cut: no late acceptance, and the answer comes with the lease', async () => {
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
    // Until it has been cut while a logout waited for it, or this test has shown nothing.
    for (let i = 0; i < 50 && (waitedOut === 0 || i < 4); i++) {
      const session = await open(a, await newUser(a), i % 2 === 0 ? 'bearer' : 'opaque');
      await warm(session);
      const startedMs = performance.now();
      late += await lateAccepts([session], async () => {
        const answer = await own(a, session, { scope: 'this' });
        waitedOut += Number(answer.json['waited_out']);
        return answer;
      });
      expect(performance.now() - startedMs).toBeLessThan(LEASE_MS + SLACK_MS);
    }
    over = true;
    await cutting;
    expect(late).toBe(0);
    expect(waitedOut).toBeGreaterThan(0);
    await until('B listens again', async () => {
      const session = await open(a, await newUser(a), 'bearer');
      return (await own(a, session, { scope: 'this' })).json['acknowledged'] === 1;
    });
  });

  test.each([
    ['a little longer than its lease', LEASE_MS * 1.5],
    ['until it was taken out as silent', LEASE_MS * 8],
  ])('its process stopped %s and continued: no late acceptance', async (_how, stoppedMs) => {
    const userId = await newUser(a);
    const sessions = await Promise.all(
      Array.from({ length: 6 }, (_, i) => open(a, userId, i % 2 === 0 ? 'bearer' : 'opaque')),
    );
    const [asking] = sessions;
    if (!asking) throw new Error('no session');
    await warm(...sessions);
    b.signal('SIGSTOP');
    const stoppedAtMs = performance.now();
    let questions: Promise<number[]> = Promise.resolve([]);
    try {
      const long = stoppedMs > LEASE_MS * 5;
      // Half of the longer stop passes before the logout, so that B is deregistered by then.
      if (long) await pause(stoppedMs);
      const startedMs = performance.now();
      const answer = await own(a, asking, { scope: 'all' });
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
      const session = await open(a, userId, 'bearer');
      return (await own(a, session, { scope: 'this' })).json['acknowledged'] === 1;
    });
  });

  const nodes = async (): Promise<number> =>
    (await a.world.database.query({ text: 'select 1 from nodes', values: [] })).rows.length;

  test('killed: logouts wait for it no longer than the lease, and after its deregistration not at all', async () => {
    b.signal('SIGKILL');
    await b.ended;
    checker.close();
    const first = await open(a, await newUser(a), 'bearer');
    const startedMs = performance.now();
    const answer = await own(a, first, { scope: 'this' });
    expect([answer.status, answer.json['waited_out']]).toEqual([200, 1]);
    expect(performance.now() - startedMs).toBeLessThan(LEASE_MS + SLACK_MS);
    await until('the dead node is taken out', async () => (await nodes()) === 1);
    const second = await open(a, await newUser(a), 'bearer');
    const quick = await own(a, second, { scope: 'this' });
    expect([quick.status, quick.json['waited_out'], quick.json['acknowledged']]).toEqual([200, 0, 0]);
  });

  test('left in order: nothing waits for it', async () => {
    await startB();
    expect(await nodes()).toBe(2);
    b.signal('SIGTERM');
    expect(await b.ended).toBe(0);
    expect(await nodes()).toBe(1);
    const session = await open(a, await newUser(a), 'bearer');
    const answer = await own(a, session, { scope: 'this' });
    expect([answer.json['waited_out'], answer.json['acknowledged']]).toEqual([0, 0]);
  });
});
