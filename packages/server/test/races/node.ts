/** Nodes of the authority with access to their parts, for races. */
import type { SessionFacts } from '@curfew/protocol/cuts';
import { createServer, type Server } from 'node:http';
import { Agent, request } from 'node:http';
import type { Logger } from 'pino';
import type { LogReader } from '../../src/cluster/follow/log-reader.ts';
import { READERS } from '../../src/cluster/follow/readers.ts';
import { seedClients } from '../../src/actions/seed-clients.ts';
import type { LiveSession } from '../../src/domain/session.ts';
import { openWorld } from '../../src/world/open-world.ts';
import type { World } from '../../src/world/world.ts';
import { type Environment, readConfig } from '../../src/config.ts';
import { createApp } from '../../src/http/app.ts';
import { createQuickCheck } from '../../src/http/node-http/quick-check.ts';
import { createMetrics, type Metrics } from '../../src/http/operator/metrics.ts';
import { createNodeListener } from '../../src/http/node-http/listener.ts';
import { OpenStreams } from '../../src/http/admin/open-streams.ts';
import { RequestLog } from '../../src/http/request-log.ts';
import { createUpgrades } from '../../src/http/sockets/upgrades.ts';
import { insertUser } from '../../src/store/users.ts';
import type { PasswordHasher } from '../../src/system/password-hashing.ts';
import type { System } from '../../src/system/system.ts';
import { freshDatabase } from '../services/fresh-database.ts';
import { EVERYWHERE } from '../services/held-database.ts';
import { freshData } from '../services/embedded-data.ts';
import { type Backend, type Caller, callerOf, migrated, recordingLog, SERVICE_KEY } from '../support.ts';

/** A clock that stops until it is moved. */
interface Clock {
  now: () => Date;
  advance: (seconds: number) => void;
  /** Moves it to the beginning of a minute, for what is counted by minute. */
  nextMinute: () => void;
}

function standingClock(): Clock {
  let ms = Date.now();
  return {
    now: () => new Date(ms),
    advance: (seconds) => {
      ms += seconds * 1000;
    },
    nextMinute: () => {
      ms += 60_000 - (ms % 60_000);
    },
  };
}

/** Passwords that cost no processor, and take a set time: races need what happens meanwhile. */
export function quickPasswords(delayMs: () => number = () => 0): PasswordHasher {
  const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));
  return {
    hash: async (password) => `quick:${password}`,
    async verify(stored, password) {
      const ms = delayMs();
      if (ms > 0) await pause(ms);
      return stored === `quick:${password}`;
    },
    load: () => ({ running: 0, waiting: 0 }),
  };
}

/** The facts of a session that no test opened. */
export const SOMEBODY: Omit<SessionFacts, 'sid'> = {
  subject: '1',
  clientId: 'default',
  deviceId: 'd',
  born: 1,
  login: null,
  tenant: 'default',
};

/** A session that no test opened, of a node that remembers it. It expires in a year. */
export function liveSession(more: Partial<LiveSession> = {}): LiveSession {
  const expiresAt = new Date(Date.now() + 365 * 86_400_000);
  return {
    ...SOMEBODY,
    sid: crypto.randomUUID(),
    tenant: 'default',
    userId: 1,
    contract: 'v1',
    grant: 'bearer',
    ownClientOnly: false,
    deviceName: '',
    createdAt: new Date(),
    expiresAt,
    idleSeconds: 600,
    idleExpiresAt: expiresAt,
    user: {
      id: 1,
      email: 'ada@example.com',
      name: 'Ada',
      role: 'user',
      workspace: '',
      profileVersion: 1,
      external: null,
    },
    ...more,
  };
}

export interface Node {
  world: World;
  fetch: (request: Request) => Promise<Response>;
  call: Caller;
  /** The lines of the system log. */
  lines: string[];
  requests: RequestLog;
  metrics: Metrics;
  /** Listens on the loopback interface, at a free port unless one is given, and answers its address. */
  listen: (port?: number) => Promise<string>;
  close: () => Promise<void>;
}

export async function openNode(
  settings: Environment,
  system: Partial<System> = {},
  readers: readonly LogReader[] = READERS,
): Promise<Node> {
  const { log, lines }: { log: Logger; lines: string[] } = recordingLog();
  const all = { CURFEW_SERVICE_KEYS: SERVICE_KEY, ...settings };
  const { world, close } = await openWorld(readConfig(all), {
    log,
    readers,
    system: { passwords: quickPasswords(), ...system },
  });
  await seedClients(world);
  const requests = new RequestLog(world.system);
  const metrics = createMetrics(world);
  const streams = new OpenStreams();
  const app = createApp(world, metrics, streams, requests);
  const upgrades = createUpgrades(world, metrics);
  const fetch = async (asked: Request, connection = {}): Promise<Response> => app.fetch(asked, connection);
  const listener = createNodeListener(fetch, createQuickCheck(world, fetch, requests));
  const servers: Server[] = [];
  return {
    world,
    fetch,
    call: callerOf(fetch),
    lines,
    requests,
    metrics,
    async listen(port = 0) {
      // A checker's connection may be idle for long on a busy machine; closed meanwhile, its next question would fail.
      const server = createServer({ keepAliveTimeout: 0 }, listener);
      server.on('upgrade', (request, socket, head) => upgrades.upgrade(request, socket, head));
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      const address = server.address();
      if (typeof address !== 'object' || address === null) throw new Error('the node has no port');
      return `http://127.0.0.1:${address.port}`;
    },
    async close() {
      upgrades.close();
      streams.close();
      requests.sum();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await close();
    },
  };
}

/** Where a statement stops, and at which node something happens meanwhile: for `test.each`. */
export const RACES = EVERYWHERE.flatMap((at) => [
  { at, where: 'the same node', node: 0 },
  { at, where: 'another node', node: 1 },
]);

export interface Place {
  settings: Environment;
  /** Two on PostgreSQL, one on the embedded database, which has no room for a second. */
  nodes: Node[];
  clock: Clock;
  /** The nodes in turn. */
  at: (i: number) => Node;
  rows: <T = Record<string, unknown>>(text: string, ...values: unknown[]) => Promise<T[]>;
  /** A new user with the password "secret". */
  user: (role?: 'user' | 'admin') => Promise<{ id: number; email: string }>;
  close: () => Promise<void>;
}

/** Opens the nodes of one database, with a clock that the test moves. */
export async function openPlace(
  backend: Backend,
  settings: Environment = {},
  system: Partial<System> = {},
): Promise<Place> {
  const clock = standingClock();
  const where =
    backend === 'embedded'
      ? { CURFEW_DATA: freshData('races') }
      : { DATABASE_URL: await freshDatabase(migrated) };
  const all = { ...where, ...settings };
  const nodes = [await openNode(all, { now: clock.now, ...system })];
  if (backend === 'postgres') nodes.push(await openNode(all, { now: clock.now, ...system }));
  const [first] = nodes;
  if (!first) throw new Error('there is no node');
  let users = 0;
  return {
    settings: all,
    nodes,
    clock,
    at: (i) => nodes[i % nodes.length] ?? first,
    rows: async <T>(text: string, ...values: unknown[]) =>
      (await first.world.database.query({ text, values })).rows as T[],
    async user(role = 'user') {
      const email = `user${++users}@example.com`;
      const passwordHash = 'quick:secret';
      const made = await insertUser(
        first.world.database,
        { email, name: '', workspace: '', role, passwordHash },
        clock.now(),
      );
      return { id: made.id, email };
    },
    async close() {
      for (const node of nodes) await node.close();
    },
  };
}

/** Repeats `work` for 0, 1, … up to the count, one after the other. */
export async function repeat(count: number, work: (round: number) => Promise<void>): Promise<void> {
  for (let round = 0; round < count; round++) await work(round);
}

export const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** Lets everything else in this process have its turn. */
export const nextTurn = (): Promise<void> => new Promise((turn) => setImmediate(turn));

/** Asks again until the answer is yes, for background work. */
export async function until(what: string, yes: () => Promise<boolean>, milliseconds = 30_000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!(await yes())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await pause(20);
  }
}

/** Waits for the answer, or until a statement at the place's database waits for a lock. */
export async function answeredOrLocked(place: Place, answer: Promise<unknown>): Promise<void> {
  let answered = false;
  const note = (): void => {
    answered = true;
  };
  answer.then(note, note);
  await until('it is answered, or waits for a lock', async () => {
    const locked = await place.rows(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return answered || locked.length > 0;
  });
}

export interface Checker {
  check: (bearer: string) => Promise<number>;
  close: () => void;
}

/** Asks `/v1/check` over connections that stay open, as a proxy does. */
export function checkerOf(url: string, connections = 8): Checker {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  return {
    check: (bearer) =>
      new Promise((resolve, reject) => {
        const asked = request(
          `${url}/v1/check`,
          { agent, headers: { authorization: `Bearer ${bearer}` } },
          (answer) => {
            answer.resume();
            answer.on('end', () => resolve(answer.statusCode ?? 0));
            answer.on('error', reject);
          },
        );
        asked.on('error', reject);
        asked.end();
      }),
    close: () => agent.destroy(),
  };
}
