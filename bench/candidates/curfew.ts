import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startNode, type Child } from '../machine/children.ts';
import { SERVER_CORE } from '../machine/cores.ts';
import type { Services } from '../machine/services.ts';
import type { WireRequest } from '../load/wire.ts';
import { refusesBy401, type Candidate } from './candidate.ts';
import type { Credential } from './credential.ts';

export type Transport = 'bearer' | 'opaque' | 'cookie';

interface SessionAnswer {
  access_token?: string;
  refresh_token?: string;
  session_token?: string;
  cookie?: { name: string; value: string };
  csrf_token?: string;
}

interface User {
  id: number;
  email: string;
}

/** How many sessions one call to the service endpoint may make. */
const SESSIONS_PER_CALL = 1000;

interface PropagationState {
  span_ms: number;
  spans: { at: string; count: number; p50: number | null; p99: number | null }[];
}

/** By how much the node's clock, which is the database's, may differ from this process's clock on one machine. */
const SPAN_SLACK_MS = 100;

/** The server of this repository: one process, and the calls that only its owner may make. */
export class Curfew {
  readonly port: number;
  readonly pid: number;
  /** How a verifier asks it, and the issuer and audience of its tokens. */
  readonly serviceKey: string;
  readonly issuer: string;
  readonly stop: () => Promise<void>;
  /** The sessions belong to many users, as in reality: no user has ten thousand. */
  users: User[] = [];
  #nextUser = 0;

  private constructor(port: number, child: Child, serviceKey: string, issuer: string) {
    this.port = port;
    this.pid = child.pid;
    this.stop = () => child.stop();
    this.serviceKey = serviceKey;
    this.issuer = issuer;
  }

  static async start(services: Services, userCount: number): Promise<Curfew> {
    const databaseUrl = await services.makeDatabase('curfew');
    return Curfew.startNode({ databaseUrl, redisUrl: services.redisUrl(0), users: userCount });
  }

  /** One process of an authority. Given another process, it is a further node of the same authority. */
  static async startNode(plan: {
    databaseUrl: string;
    redisUrl: string | undefined;
    users: number;
    beside?: Curfew;
  }): Promise<Curfew> {
    const { databaseUrl, redisUrl, users, beside } = plan;
    // An empty value counts as unset, and hides the benchmark's own environment.
    return Curfew.#startOn({ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl ?? '' }, users, beside);
  }

  /** The authority with the embedded database, in a directory that is empty. */
  static async startEmbedded(plan: { data: string; fsync: boolean; users: number }): Promise<Curfew> {
    const { data, fsync, users } = plan;
    const place = { DATABASE_URL: '', REDIS_URL: '', CURFEW_DATA: data };
    return Curfew.#startOn({ ...place, CURFEW_EMBEDDED_FSYNC: fsync ? '1' : '0' }, users, undefined);
  }

  static async #startOn(
    place: Record<string, string>,
    users: number,
    beside: Curfew | undefined,
  ): Promise<Curfew> {
    const port = await freePort();
    const serviceKey = beside?.serviceKey ?? randomBytes(32).toString('base64url');
    const issuer = beside?.issuer ?? `http://localhost:${port}`;
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const child = await startNode(
      ['--conditions=curfew-source', `${root}packages/server/src/main.ts`, 'serve'],
      {
        core: SERVER_CORE,
        cwd: root,
        env: {
          PORT: String(port),
          HOST: '127.0.0.1',
          ...place,
          CURFEW_SERVICE_KEYS: serviceKey,
          CURFEW_ISSUER: issuer,
          CURFEW_DEMO_ACCOUNTS: '1',
          LOG_LEVEL: 'warn',
        },
      },
    );
    const curfew = new Curfew(port, child, serviceKey, issuer);
    await curfew.#waitUntilReady(child);
    await curfew.#makeUsers(users);
    return curfew;
  }

  /** One way of carrying a session, as a candidate. */
  candidate(transport: Transport): Candidate {
    const labels = { bearer: 'JWT', opaque: 'opaque token', cookie: 'cookie' };
    return {
      id: `curfew-${transport === 'bearer' ? 'jwt' : transport}`,
      label: `Curfew, ${labels[transport]}`,
      kind: 'curfew',
      durable: true,
      port: this.port,
      pid: this.pid,
      prepare: (count) => this.#prepare(transport, count),
      refuses: refusesBy401,
    };
  }

  /** All the sessions of one user, for logging out all of them. */
  async sessionsOf(user: User, count: number): Promise<Credential[]> {
    const sessions = await this.#open(user, 'bearer', count);
    return sessions.map((session) => this.#credential('bearer', user, session));
  }

  async refreshRequests(count: number): Promise<WireRequest[]> {
    const opened = await this.#openForMany('bearer', count);
    return opened.map(([, { refresh_token }]) => jsonPost('/v1/refresh', { refresh_token }));
  }

  /** A login of each user in turn. */
  loginRequests(): WireRequest[] {
    return this.users.map(({ email }) => jsonPost('/v1/login', { email, password: PASSWORD }));
  }

  /** The credential in the answer of a login through a contract. */
  async logInThrough(contract: ContractName): Promise<string> {
    const { path, body, textOf } = CONTRACTS[contract];
    const { email } = this.users[0] as User;
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Origin: `http://127.0.0.1:${this.port}`,
        'Sec-Fetch-Site': 'same-origin',
      },
      body: JSON.stringify(body(email)),
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return needed(textOf((await response.json()) as ContractAnswer, response.headers.getSetCookie()));
  }

  /** Logs out everyone as an administrator does, with the count confirmed. */
  async endEveryone(): Promise<void> {
    const ask = (body: object): Promise<Response> =>
      fetch(`http://127.0.0.1:${this.port}/v1/admin/logout`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${this.serviceKey}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ scope: 'everyone', ...body }),
      });
    const { count } = (await (await ask({})).json()) as { count: number };
    const response = await ask({ confirm: count });
    if (!response.ok) throw new Error(`logging everyone out answered ${response.status}`);
  }

  /** Sleeps until the node begins to count confirmations anew. */
  async nextPropagationSpan(): Promise<void> {
    const { span_ms: spanMs } = await this.#propagation();
    await sleep(spanMs - (Date.now() % spanMs) + SPAN_SLACK_MS);
  }

  /**
   * Milliseconds from a logout's commit until it was true everywhere, as the node counted them.
   * @param beganMs milliseconds since 1970, just after `nextPropagationSpan`
   */
  async propagationSince(beganMs: number): Promise<{ propagationP50: number; propagationP99: number }> {
    const { spans } = await this.#propagation();
    const here = spans.filter(({ at, count }) => Date.parse(at) > beganMs - 2 * SPAN_SLACK_MS && count > 0);
    const count = here.reduce((sum, span) => sum + span.count, 0);
    return {
      propagationP50: here.reduce((sum, span) => sum + (span.p50 ?? 0) * (span.count / count), 0),
      propagationP99: Math.max(...here.map(({ p99 }) => p99 ?? 0)),
    };
  }

  async #propagation(): Promise<PropagationState> {
    const response = await fetch(`http://127.0.0.1:${this.port}/v1/admin/state`, {
      headers: { Authorization: `Bearer ${this.serviceKey}` },
    });
    return ((await response.json()) as { propagation: PropagationState }).propagation;
  }

  async #prepare(transport: Transport, count: number): Promise<Credential[]> {
    const opened = await this.#openForMany(transport, count);
    return opened.map(([user, session]) => this.#credential(transport, user, session));
  }

  async #openForMany(transport: Transport, count: number): Promise<[User, SessionAnswer][]> {
    const shares = [...this.#shares(count)];
    const opened = await inParallel(shares, async ([user, share]) => {
      const sessions = await this.#open(user, transport, share);
      return sessions.map((session): [User, SessionAnswer] => [user, session]);
    });
    return opened.flat();
  }

  /** Divides `count` sessions among the users, at most 1,000 for each. */
  *#shares(count: number): Generator<[User, number]> {
    const perUser = Math.min(SESSIONS_PER_CALL, Math.max(1, Math.ceil(count / this.users.length)));
    for (let left = count; left > 0; left -= perUser) {
      const user = this.users[this.#nextUser++ % this.users.length] as User;
      yield [user, Math.min(left, perUser)];
    }
  }

  async #open(user: User, transport: Transport, count: number): Promise<SessionAnswer[]> {
    const opened: SessionAnswer[] = [];
    while (opened.length < count) {
      const { sessions } = await this.#askAsOwner<{ sessions: SessionAnswer[] }>('/v1/admin/sessions', {
        user_id: user.id,
        transport,
        count: Math.min(SESSIONS_PER_CALL, count - opened.length),
      });
      opened.push(...sessions);
    }
    return opened;
  }

  #credential(transport: Transport, user: User, session: SessionAnswer): Credential {
    const check = (headers: Record<string, string>): WireRequest => ({
      method: 'GET',
      path: '/v1/check',
      headers,
    });
    if (transport === 'opaque') {
      const token = needed(session.session_token);
      const query = `userId=${user.id}&sessionId=${encodeURIComponent(token)}`;
      return {
        check: check({ Authorization: `Bearer ${token}` }),
        logout: { method: 'POST', path: `/api/auth/logout?${query}` },
      };
    }
    if (transport === 'cookie') {
      const { name, value } = needed(session.cookie);
      const headers = { Cookie: `${name}=${value}` };
      const proof = {
        'X-CSRF-Token': needed(session.csrf_token),
        Origin: `http://127.0.0.1:${this.port}`,
        'Sec-Fetch-Site': 'same-origin',
      };
      return { check: check(headers), logout: logout({ ...headers, ...proof }, 'this') };
    }
    const headers = { Authorization: `Bearer ${needed(session.access_token)}` };
    return { check: check(headers), logout: logout(headers, 'this') };
  }

  async #makeUsers(count: number): Promise<void> {
    const run = randomBytes(4).toString('hex');
    // A few at a time: each costs a password hash.
    while (this.users.length < count) {
      const from = this.users.length;
      const made = await Promise.all(
        Array.from({ length: Math.min(4, count - from) }, async (_, i) => {
          const email = `bench-${run}-${from + i}@example.com`;
          const account = { email, password: PASSWORD, name: `Bench ${from + i}` };
          const { user } = await this.#askAsOwner<{ user: { id: number } }>('/v1/admin/users', account);
          return { id: user.id, email };
        }),
      );
      this.users.push(...made);
    }
  }

  async #askAsOwner<Result>(path: string, body: object): Promise<Result> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.serviceKey}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as Result;
  }

  async #waitUntilReady(child: Child): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (Date.now() < deadline && child.process.exitCode === null) {
      const ready = await fetch(`http://127.0.0.1:${this.port}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      );
      if (ready) return;
      await sleep(50);
    }
    throw new Error(`the server did not get ready: ${child.complaints()}`);
  }
}

/** The server opens the sessions of one call in small batches, so a few calls at once keep it busy. */
const CALLS_AT_ONCE = 4;

/** Results in the order of the items. */
export async function inParallel<Item, Result>(
  items: Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let i = 0; i < items.length; i += CALLS_AT_ONCE) {
    results.push(...(await Promise.all(items.slice(i, i + CALLS_AT_ONCE).map(work))));
  }
  return results;
}

interface ContractAnswer {
  access_token?: string;
  data?: { access_token?: string; sessionToken?: string };
}

export const CONTRACT_NAMES = ['001', '002', '003', '004'] as const;
type ContractName = (typeof CONTRACT_NAMES)[number];

/** How each contract logs in, and where its answer carries the credential. */
const CONTRACTS: Record<
  ContractName,
  {
    path: string;
    body: (email: string) => object;
    textOf: (answer: ContractAnswer, cookies: string[]) => string | undefined;
  }
> = {
  '001': {
    path: '/auth/login',
    body: (email) => ({ email, password: PASSWORD }),
    textOf: ({ data }) => data?.access_token,
  },
  '002': {
    path: '/api/auth/login',
    body: (email) => ({ username: email, password: PASSWORD }),
    textOf: ({ data }) => data?.sessionToken,
  },
  '003': {
    path: '/api/v1/auth/login',
    body: (email) => ({ email, password: PASSWORD }),
    textOf: ({ access_token: text }) => text,
  },
  '004': {
    path: '/auth/login',
    body: (email) => ({ email, password: PASSWORD, transport: 'cookie' }),
    textOf: (_answer, cookies) =>
      cookies.map((line) => /=(cs_[^;]+)/.exec(line)?.[1]).find((value) => value !== undefined),
  },
};

const PASSWORD = 'a long passphrase of the benchmark';

/** Ends the session that the headers carry, or all of its user. */
export function logout(
  headers: Record<string, string>,
  scope: 'this' | 'all',
  wait?: 'replicas' | 'none',
): WireRequest {
  const { body } = jsonPost('', wait === undefined ? { scope } : { scope, wait });
  return {
    method: 'POST',
    path: '/v1/logout',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: body as string,
  };
}

function jsonPost(path: string, body: object): WireRequest {
  return {
    method: 'POST',
    path,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  };
}

function needed<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('an opened session lacks a field that its transport must have');
  return value;
}
