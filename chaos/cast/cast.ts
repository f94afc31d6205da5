import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  type PostgresServer,
  startPostgres,
  withClient,
} from '../../packages/server/test/services/postgres.ts';
import { type StandbyServer, startStandby } from '../../packages/server/test/services/standby.ts';
import { type RedisServer, startRedis } from '../../packages/server/test/services/redis.ts';
import { freePort } from '../../packages/server/test/services/ports.ts';
import { scratchRoot } from '../../packages/server/test/services/scratch.ts';
import type { LossLine } from '../lines.ts';
import { now } from '../recorder.ts';
import { QUIET_LEASE_MS } from '../options.ts';
import type { Stage } from '../schedule.ts';
import { BACK_END, BACK_ENDS, CLIENTS, FORGER, ISSUER, NODES, SERVER } from './layout.ts';
import { Link } from './link.ts';
import type {
  BackEndSettings,
  ClientsSettings,
  ForgerSettings,
  FromBackEnd,
  FromClients,
  Presented,
  ToBackEnd,
  ToClients,
} from './messages.ts';
import { Program } from './program.ts';
import { Role } from './role.ts';
import { burnTransactions } from './transactions.ts';

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

interface CastOptions {
  /** Where histories and logs go. */
  directory: string;
  leaseMs: number;
  seed: number;
}

/** The back end that has the believer. */
const BELIEVER_AT = 'back-end1';
/**
 * Longer than a logout waits, even if it waits for the lease: an answer that is believed for less time would be over when the logout
 * answers.
 */
const BELIEVED_LEASES = 2;

const FORGER_LINK = 'forger-postgres';

/** As much WAL as a standby may lag behind. */
const PRIMARY = { durable: true, settings: { wal_keep_size: '1GB' } };

/**
 * All processes of the campaign: the database and its standby, Redis, three nodes, two back ends with two verifiers each, the clients, and
 * a forger.
 */
export class Cast {
  readonly stage: Stage;
  readonly redis: RedisServer;
  readonly links: Map<string, Link> = new Map();
  readonly roles: Map<string, Role> = new Map();
  #postgres: PostgresServer;
  #standby: StandbyServer;
  readonly #options: CastOptions;
  readonly #serviceKey = `svc_${randomBytes(24).toString('base64url')}`;
  readonly #ports: Map<string, number>;
  readonly #credentials: Presented[] = [];
  #clients: Program | null = null;
  #forger: Program | null = null;
  readonly #heard: { from: string; t: string; resolve: () => void }[] = [];

  private constructor(
    options: CastOptions,
    postgres: PostgresServer,
    standby: StandbyServer,
    redis: RedisServer,
    ports: Map<string, number>,
  ) {
    this.#options = options;
    this.#postgres = postgres;
    this.#standby = standby;
    this.redis = redis;
    this.#ports = ports;
    const links = { postgres: [] as string[], redis: [] as string[], feed: [] as string[] };
    const link = (of: keyof typeof links, name: string, port: number): void => {
      links[of].push(name);
      this.links.set(name, new Link(name, port));
    };
    for (const node of NODES) {
      link('postgres', `${node}-postgres`, postgres.port);
      link('redis', `${node}-redis`, redis.port);
    }
    // No fault affects the forger's links, but they follow the database.
    this.links.set(FORGER_LINK, new Link(FORGER_LINK, postgres.port));
    for (const { verifiers } of BACK_ENDS)
      for (const { name, nodes } of verifiers)
        for (const node of nodes) link('feed', `${name}-${node}`, this.#port(node));
    this.stage = {
      nodes: NODES,
      backEnds: BACK_ENDS.map(({ name }) => name),
      links,
      leaseMs: options.leaseMs,
    };
  }

  /** Starts all processes. After a failure it ends those that have started. */
  static async start(options: CastOptions): Promise<Cast> {
    const postgres = await startPostgres(PRIMARY);
    let standby: StandbyServer | undefined;
    let redis: RedisServer | undefined;
    try {
      standby = await startStandby(postgres);
      redis = await startRedis();
      const ports = new Map(await Promise.all(NODES.map(async (node) => [node, await freePort()] as const)));
      const cast = new Cast(options, postgres, standby, redis, ports);
      try {
        await cast.#enter();
        return cast;
      } catch (error) {
        await cast.stop();
        throw error;
      }
    } catch (error) {
      await redis?.stop();
      await standby?.stop();
      await postgres.stop();
      throw error;
    }
  }

  /** The primary. */
  get postgres(): PostgresServer {
    return this.#postgres;
  }

  /**
   * Leads some nodes to a standby that shows the state of a lease ago, as a load balancer may do. The other nodes continue with logouts.
   * @param links the links of the nodes: all connections of the first one go there, and some of the second one
   */
  async visitStandby(links: readonly string[], ms: number): Promise<void> {
    await this.#standby.pauseReplay();
    await pause(this.#options.leaseMs);
    for (const [i, name] of links.entries()) this.links.get(name)?.lead(this.#standby.port, i > 0);
    await pause(ms);
    // A process that has not noticed keeps its connections until they end.
    for (const name of links) this.links.get(name)?.lead(this.#postgres.port);
    await this.#standby.resumeReplay();
  }

  /**
   * Lets the standby fall behind for a while, and promotes it after the death of the primary. It gets a standby of its own.
   * @param forward whether the history that follows is longer than the lost one
   * @param onLost receives the span of time that may be lost, when the other database begins to serve
   */
  async failOver(
    behindMs: number,
    forward: boolean,
    onLost: (loss: Omit<LossLine, 't'>) => void,
  ): Promise<void> {
    const from = now();
    const [dead, next] = [this.#postgres, this.#standby];
    await next.caughtUp();
    next.cutOff();
    if (!forward) await burnTransactions(dead.url);
    await pause(behindMs);
    await dead.kill();
    const to = now();
    await next.promote();
    if (forward) await burnTransactions(next.url);
    this.#postgres = next;
    onLost({ from, to, back: now() });
    for (const name of [...this.stage.links.postgres, FORGER_LINK]) this.links.get(name)?.lead(next.port);
    this.#standby = await startStandby(next);
    await dead.stop();
  }

  get #slower(): number {
    return Math.max(1, this.#options.leaseMs / QUIET_LEASE_MS);
  }

  #port(node: string): number {
    return this.#ports.get(node) ?? 0;
  }

  async #enter(): Promise<void> {
    for (const link of this.links.values()) await link.open();
    const { directory } = this.#options;
    for (const node of NODES)
      this.roles.set(
        node,
        new Role(node, () => ({
          name: node,
          args: ['--disable-warning=ExperimentalWarning', SERVER, 'serve'],
          env: this.#nodeSettings(node),
          logFile: join(directory, `${node}.log`),
          ipc: false,
          ready: 'Listening   http',
        })),
      );
    for (const backEnd of BACK_ENDS) this.roles.set(backEnd.name, this.#backEnd(backEnd));
    // The first node creates the schema. The others would only wait for it.
    for (const node of NODES) await this.role(node).start();
    await Promise.all(BACK_ENDS.map(({ name }) => this.role(name).start()));
    await this.#startClients();
    await this.#startForger();
  }

  #nodeSettings(node: string): Record<string, string> {
    return {
      PORT: String(this.#port(node)),
      DATABASE_URL: `postgres://postgres@127.0.0.1:${this.#linkPort(`${node}-postgres`)}/postgres`,
      REDIS_URL: `redis://127.0.0.1:${this.#linkPort(`${node}-redis`)}`,
      CURFEW_LEASE_MS: String(this.#options.leaseMs),
      CURFEW_ISSUER: ISSUER,
      CURFEW_SERVICE_KEYS: this.#serviceKey,
      CURFEW_CLIENTS: JSON.stringify({ kiosk: {} }),
      // Tokens live longer than the test: only a logout ends a session here.
      CURFEW_ACCESS_TOKEN_SECONDS: '7200',
      CURFEW_DEMO_ACCOUNTS: '0',
      LOG_LEVEL: 'warn',
      // Keeps compiled code, so that a start takes half as long.
      NODE_COMPILE_CACHE: join(scratchRoot(), 'compiled'),
    };
  }

  #linkPort(name: string): number {
    const link = this.links.get(name);
    if (!link) throw new Error(`there is no link ${name}`);
    return link.port;
  }

  #backEnd({ name, verifiers }: (typeof BACK_ENDS)[number]): Role {
    const { directory, leaseMs } = this.#options;
    return new Role(
      name,
      (life) => {
        const settings: BackEndSettings = {
          who: name,
          file: join(directory, `${name}.${life}.jsonl`),
          serviceKey: this.#serviceKey,
          audience: ISSUER,
          verifiers: verifiers.map((one) => ({
            name: one.name,
            onStale: one.onStale,
            authority: one.nodes.map((node) => `http://127.0.0.1:${this.#linkPort(`${one.name}-${node}`)}`),
          })),
          believesMs: name === BELIEVER_AT ? BELIEVED_LEASES * leaseMs : 0,
          slower: this.#slower,
        };
        return {
          name,
          args: [BACK_END, JSON.stringify(settings)],
          env: { NODE_COMPILE_CACHE: join(scratchRoot(), 'compiled') },
          logFile: join(directory, `${name}.log`),
          ipc: true,
          onMessage: (message) => this.#hear(name, (message as FromBackEnd).t),
        };
      },
      (program) => program.send({ t: 'credentials', list: this.#credentials } satisfies ToBackEnd),
    );
  }

  async #startClients(): Promise<void> {
    const { directory, seed } = this.#options;
    const settings: ClientsSettings = {
      file: join(directory, 'clients.jsonl'),
      serviceKey: this.#serviceKey,
      issuer: ISSUER,
      nodes: NODES.map((name) => ({ name, url: `http://127.0.0.1:${this.#port(name)}` })),
      seed,
      slower: this.#slower,
    };
    this.#clients = new Program({
      name: 'clients',
      args: [CLIENTS, JSON.stringify(settings)],
      env: {},
      logFile: join(directory, 'clients.log'),
      ipc: true,
      onMessage: (message) => this.#fromClients(message as FromClients),
    });
    await this.#clients.ready;
  }

  /** It knows the addresses, but no secret. */
  async #startForger(): Promise<void> {
    const { directory, seed } = this.#options;
    await withClient(this.postgres.url, (client) => client.query('create role forger login'));
    const settings: ForgerSettings = {
      file: join(directory, 'forger.jsonl'),
      databaseUrl: `postgres://forger@127.0.0.1:${this.#linkPort(FORGER_LINK)}/postgres`,
      redisUrl: this.redis.url,
      seed,
    };
    this.#forger = new Program({
      name: 'forger',
      args: [FORGER, JSON.stringify(settings)],
      env: {},
      logFile: join(directory, 'forger.log'),
      ipc: true,
    });
    await this.#forger.ready;
  }

  #fromClients(message: FromClients): void {
    switch (message.t) {
      case 'credentials':
        this.#credentials.push(...message.list);
        return this.#toBackEnds(message);
      case 'press':
      case 'release':
        return this.#toBackEnds(message);
      default:
        this.#hear('clients', message.t);
    }
  }

  #toBackEnds(message: ToBackEnd): void {
    for (const { name } of BACK_ENDS) this.role(name).send(message);
  }

  /** The processes that take part in a logout, by name. */
  processes(): Map<string, number> {
    const programs = [...NODES.map((name) => this.roles.get(name)?.program), this.#clients];
    return new Map(programs.flatMap((program) => (program?.pid ? [[program.name, program.pid]] : [])));
  }

  role(name: string): Role {
    const role = this.roles.get(name);
    if (!role) throw new Error(`there is no ${name}`);
    return role;
  }

  #hear(from: string, t: string): void {
    for (const one of this.#heard) if (one.from === from && one.t === t) one.resolve();
  }

  /** Waits for a message. It is a failure if the process ends instead. */
  async #answer(from: string, t: string, ask: () => void): Promise<void> {
    const heard = new Promise<void>((resolve) => this.#heard.push({ from, t, resolve }));
    ask();
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`${from} did not come to "${t}"`)), 240_000).unref();
    });
    await Promise.race([heard, late]);
  }

  #tellClients(message: ToClients): void {
    if (this.#clients === null || this.#clients.hasEnded) throw new Error('the clients have ended');
    this.#clients.send(message);
  }

  begin(): void {
    this.#tellClients({ t: 'begin' });
  }

  /** Stops the load, and waits for the answers that are still missing. */
  async rest(): Promise<void> {
    await this.#answer('clients', 'rested', () => this.#tellClients({ t: 'rest' }));
    this.#toBackEnds({ t: 'rest' });
  }

  /** Checks every session once more, by every verifier and at one node. */
  async lastLook(): Promise<void> {
    await Promise.all([
      this.#answer('clients', 'looked', () => this.#tellClients({ t: 'last look' })),
      ...BACK_ENDS.map(({ name }) =>
        this.#answer(name, 'looked', () => this.role(name).send({ t: 'last look' } satisfies ToBackEnd)),
      ),
    ]);
  }

  /** Ends all processes that have started. */
  async stop(): Promise<void> {
    for (const role of this.roles.values()) role.signal('SIGCONT');
    const clients = this.#clients;
    if (clients && !clients.hasEnded) {
      clients.send({ t: 'end' } satisfies ToClients);
      const timer = setTimeout(() => clients.signal('SIGKILL'), 5000);
      await clients.ended;
      clearTimeout(timer);
    }
    this.#forger?.send({ t: 'end' });
    const forgerTimer = setTimeout(() => this.#forger?.signal('SIGKILL'), 2000);
    await this.#forger?.ended;
    clearTimeout(forgerTimer);
    await Promise.all(
      BACK_ENDS.map(async ({ name }) => {
        const role = this.roles.get(name);
        await role?.end(() => role.send({ t: 'end' } satisfies ToBackEnd), 5000);
      }),
    );
    await Promise.all(NODES.map(async (name) => this.roles.get(name)?.kill()));

    for (const link of this.links.values()) link.close();

    await Promise.all([this.redis.stop(), this.#standby.stop(), this.#postgres.stop()]);
  }
}
