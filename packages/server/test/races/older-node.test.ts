/**
 * A node of the version before and one of this version on one PostgreSQL, as during an upgrade: every kind of session, and every kind
 * of ending. What one node ends, neither accepts. What the older node could not follow is refused, or the older node asks.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newKey, newUser, opened } from '../http/logins.ts';
import {
  BY_CONTRACT,
  type Held,
  logOutByV1,
  type Person,
  V1_COOKIE,
  type Way,
} from '../http/ways-to-log-in.ts';
import { freshDatabase, hasPostgres } from '../services/fresh-database.ts';
import { checkOutOlderVersion, hasOlderVersion, ROOT, startServer } from '../services/older-version.ts';
import { freePort } from '../services/ports.ts';
import {
  type Answer,
  type AnyJson,
  type Caller,
  callerOf,
  ISSUER,
  NEW_PASSWORD,
  SERVICE_KEY,
} from '../support.ts';
import { until } from './node.ts';

const service = { bearer: SERVICE_KEY };
/** By an operator, who confirms the number where it is asked for. */
async function end(at: Caller, body: object): Promise<Answer<AnyJson>> {
  const ask = (more: object) => at('POST', '/v1/admin/logout', { ...service, body: { ...body, ...more } });
  const answer = await ask({});
  return answer.status === 409 ? ask({ confirm: answer.json.count }) : answer;
}
interface Ending {
  name: string;
  /** What it ends beside the sessions of the user: everything that these applications have, or all. */
  widely?: true;
  run: (at: Caller, person: Person, sessions: AnyJson[]) => Promise<Answer[]>;
}

const each = <T>(all: Iterable<T>, run: (one: T) => Promise<Answer>): Promise<Answer[]> =>
  Promise.all([...new Set(all)].map(run));

const ENDINGS: Ending[] = [
  {
    name: 'a list of sessions',
    run: async (at, _person, sessions) => [
      await end(at, { scope: 'sessions', sessions: sessions.map(({ id }) => id) }),
    ],
  },
  {
    name: 'devices',
    run: (at, { id }, sessions) =>
      each(
        sessions.map(({ device }) => device.id),
        (device) => end(at, { scope: 'device', user_id: id, device_id: device }),
      ),
  },
  { name: 'a user', run: async (at, { id }) => [await end(at, { scope: 'user', user_id: id })] },
  { name: 'a list of users', run: async (at, { id }) => [await end(at, { scope: 'users', user_ids: [id] })] },
  {
    name: 'the others of a session',
    run: async (at, { id }) => {
      const { bearer } = await opened(at, id);
      return [
        await at('POST', '/v1/logout', { bearer, body: { scope: 'others' } }),
        await at('POST', '/v1/logout', { bearer }),
      ];
    },
  },
  {
    name: 'a user, by a new password',
    run: async (at, { id }) => [
      await at('POST', `/v1/admin/users/${id}/password`, { ...service, body: { password: NEW_PASSWORD } }),
    ],
  },
  {
    name: 'a user, by disabling',
    run: async (at, { id }) => [
      await at('PATCH', `/v1/admin/users/${id}`, { ...service, body: { disabled: true } }),
    ],
  },
  {
    name: 'a user, by deleting',
    run: async (at, { id }) => [await at('DELETE', `/v1/admin/users/${id}`, service)],
  },
  {
    name: 'applications',
    widely: true,
    run: (at, _person, sessions) =>
      each(
        sessions.map(({ client_id: client }) => client),
        (client) => end(at, { scope: 'client', client_id: client }),
      ),
  },
  { name: 'everyone', widely: true, run: async (at) => [await end(at, { scope: 'everyone' })] },
];

describe.runIf(hasPostgres() && hasOlderVersion())('beside a node of the version before', () => {
  const ends: (() => unknown)[] = [];
  const nodes = {} as { older: Caller; newer: Caller };
  let settings: Record<string, string>;
  let directory: string;
  let older: Awaited<ReturnType<typeof startServer>>;
  /** The sessions of somebody whom no ending has named. */
  let bystander: Held[] | undefined;
  let apiKey: string;

  const start = async (from: string) => {
    const port = await freePort();
    const server = await startServer(from, port, settings);
    ends.push(server.stop);
    return { server, call: callerOf((request) => fetch(request), `http://127.0.0.1:${port}`) };
  };
  beforeAll(async () => {
    directory = checkOutOlderVersion();
    settings = {
      DATABASE_URL: await freshDatabase(),
      CURFEW_SERVICE_KEYS: SERVICE_KEY,
      CURFEW_ISSUER: ISSUER,
      CURFEW_CLIENTS: '{"shop":{},"mail":{},"blog":{}}',
      CURFEW_LEASE_MS: '400',
      NODE_ENV: 'development',
    };
    const first = await start(directory);
    const second = await start(ROOT);
    older = first.server;
    nodes.older = first.call;
    nodes.newer = second.call;
    apiKey = (await newKey(nodes.newer, { client_id: 'shop', scopes: ['sessions:open', 'users'] })).secret;
  }, 120_000);
  afterAll(async () => {
    for (const stop of ends.splice(0).reverse()) await stop();
  });

  const both = (): Caller[] => [nodes.older, nodes.newer];
  /** A user whom the API key reaches. */
  const somebody = (): Promise<Person> => newUser(nodes.newer, { external_id: crypto.randomUUID() });
  const BY_API_KEY: Way = {
    name: 'by an API key',
    // The older node knows no API keys.
    async open(_at, { id }) {
      const body = { user_id: id };
      const { json } = await nodes.newer('POST', '/v1/admin/sessions', { bearer: apiKey, body });
      const credential = { bearer: String(json.access_token) };
      return { name: this.name, credential, logOut: logOutByV1(credential) };
    },
  };
  const WAYS = [...BY_CONTRACT, V1_COOKIE, BY_API_KEY];

  const checks = ({ credential }: Pick<Held, 'credential'>): Promise<number[]> =>
    Promise.all(both().map(async (at) => (await at('GET', '/v1/check', credential)).status));
  /** Whether both nodes accept it. They must agree. */
  async function isAccepted({ name, credential }: Held): Promise<boolean> {
    const statuses = await checks({ credential });
    expect([name, ...statuses]).toEqual([name, statuses[0], statuses[0]]);
    expect([200, 401]).toContain(statuses[0]);
    return statuses[0] === 200;
  }
  const accepted = (all: readonly Held[]): Promise<boolean[]> => Promise.all(all.map(isAccepted));
  const all = (held: readonly Held[], value: boolean): boolean[] => held.map(() => value);
  /** One session of each kind, opened at the nodes in turn, which then remember it. */
  async function openAll(person: Person): Promise<Held[]> {
    const held = await Promise.all(WAYS.map((way, i) => way.open(both()[i % 2] as Caller, person)));
    for (let i = 0; i < 2; i++) expect(await accepted(held)).toEqual(all(held, true));
    return held;
  }
  const sessionsOf = async ({ id }: Person): Promise<AnyJson[]> =>
    (await nodes.newer('GET', `/v1/admin/sessions?user_id=${id}`, service)).json.sessions;

  describe.each([
    { at: 'newer', other: 'older' },
    { at: 'older', other: 'newer' },
  ] as const)('the $at node', ({ at }) => {
    test.each(ENDINGS)('ends $name: neither node accepts a session of any kind', async ({ run, widely }) => {
      const person = await somebody();
      const held = await openAll(person);
      bystander ??= await openAll(await somebody());
      const answers = await run(nodes[at], person, await sessionsOf(person));
      expect(await accepted(held)).toEqual(all(held, false));
      for (const { status, text } of answers) expect([200, 204], text).toContain(status);
      expect(await accepted(bystander)).toEqual(all(bystander, !widely));
      if (widely) bystander = undefined;
    });

    test('logs out by every contract: neither node accepts the session', async () => {
      for (const way of WAYS) {
        const held = await way.open(both()[0] as Caller, await somebody());
        expect(await isAccepted(held)).toBe(true);
        const { status, text } = await held.logOut(nodes[at]);
        expect([way.name, status], text).toEqual([way.name, 200]);
        expect(await isAccepted(held)).toBe(false);
      }
    });
  });

  const asOperator = (at: Caller, method: string, path: string, body?: object): Promise<Answer<AnyJson>> =>
    at(method, path, { ...service, ...(body && { body }) });

  /** The kinds of endings that the older node does not know. */
  const unknownTo = ({ id }: Person, [session]: AnyJson[]) =>
    [
      { scope: 'grant', user_id: id, client_id: 'shop' },
      { scope: 'login', session: session.id },
      { scope: 'tenant', tenant: 'default' },
    ] as const;

  test('endings of a grant, a login and a tenant are refused at both nodes, and end nothing', async () => {
    const person = await somebody();
    const held = await openAll(person);
    for (const body of unknownTo(person, await sessionsOf(person))) {
      const atNewer = await end(nodes.newer, body);
      expect([body.scope, atNewer.status, atNewer.json.code]).toEqual([body.scope, 503, 'older_node']);
      const atOlder = await end(nodes.older, body);
      expect([body.scope, atOlder.status, atOlder.json.code]).toEqual([body.scope, 400, 'invalid_request']);
    }
    expect(await accepted(held)).toEqual(all(held, true));
  });

  test('an API key opens nothing at the older node, and nothing at either once it is revoked', async () => {
    const { id } = await somebody();
    const key = await newKey(nodes.newer, { client_id: 'shop', scopes: ['sessions:open'] });
    const open = async (): Promise<number[]> => {
      const ask = { bearer: key.secret, body: { user_id: id } };
      return Promise.all(both().map(async (at) => (await at('POST', '/v1/admin/sessions', ask)).status));
    };
    expect(await open()).toEqual([401, 200]);
    const path = `/v1/admin/api-keys/${key.id}`;
    expect((await asOperator(nodes.newer, 'DELETE', path)).status).toBe(200);
    expect(await open()).toEqual([401, 401]);
  });

  test.each([
    { change: 'disabled', client: 'mail', method: 'PATCH', body: { disabled: true }, atBoth: [200, 200] },
    { change: 'deleted', client: 'blog', method: 'DELETE', body: {}, atBoth: [200, 401] },
  ])(
    'an application $change at the newer node: neither accepts its sessions; the older opens new ones until it stops',
    async ({ client, method, body, atBoth }) => {
      const { email } = await somebody();
      const credentials = { email, password: NEW_PASSWORD, client_id: client };
      const logIn = (at: Caller) => at('POST', '/v1/login', { body: credentials });
      const held = (login: Answer<AnyJson>): Held => {
        const credential = { bearer: String(login.json.access_token) };
        return { name: client, credential, logOut: logOutByV1(credential) };
      };
      const before = held(await logIn(nodes.older));
      expect(await isAccepted(before)).toBe(true);
      const path = `/v1/admin/clients/${client}`;
      const { json } = await asOperator(nodes.newer, method, path, body);
      const done = await asOperator(nodes.newer, method, path, { ...body, confirm: json.count });
      expect(done.json).toMatchObject({ confirmed: true });
      expect(await isAccepted(before)).toBe(false);

      expect((await logIn(nodes.newer)).status).toBeGreaterThanOrEqual(400);
      const late = held(await logIn(nodes.older));
      expect(await checks(late)).toEqual(atBoth);
      expect((await end(nodes.newer, { scope: 'client', client_id: client })).status).toBe(200);
      expect(await isAccepted(late)).toBe(false);
    },
  );

  test('a suspended older node that was removed asks the database: it accepts no session of a cut that it does not know', async () => {
    const person = await somebody();
    const held = await openAll(person);
    const ofShop = ['v1 cookie', 'by an API key'];
    const [grant, login, tenant] = unknownTo(person, await sessionsOf(person));
    older.suspend();
    await until('the others have removed it', async () => (await end(nodes.newer, grant)).status === 200);
    // They arrive before it wakes, and so before it can have read anything.
    const asked = held.map(({ credential }) => nodes.older('GET', '/v1/check', credential));
    older.resume();
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses).toEqual(held.map(({ name }) => (ofShop.includes(name) ? 401 : 200)));
    expect(await accepted(held)).toEqual(held.map(({ name }) => !ofShop.includes(name)));

    // It is not registered again: what it cannot follow ends at once, and it goes on, and ends what it can.
    expect((await end(nodes.newer, login)).status).toBe(200);
    const another = await openAll(await somebody());
    expect((await end(nodes.older, { scope: 'user', user_id: person.id })).json).toMatchObject({
      confirmed: true,
    });
    expect(await accepted([...held, ...another])).toEqual([...all(held, false), ...all(another, true)]);
    expect((await end(nodes.newer, tenant)).status).toBe(200);
    expect(await accepted(another)).toEqual(all(another, false));
  });

  test('once stopped, a node of the version before does not start again', async () => {
    await older.stop();
    await expect(start(directory)).rejects.toThrow('it was made by a newer Curfew');
  });
});
