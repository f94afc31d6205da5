import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createEvictor, type Evictor } from './cluster/follow/evictor.ts';
import { openRedis, type RedisCopies } from './cache/redis.ts';
import { auditPass } from './cluster/follow/audit.ts';
import { Followers } from './cluster/nodes/followers.ts';
import { startHousekeeping } from './cluster/upkeep/housekeeping.ts';
import { markerPass } from './cluster/follow/marker.ts';
import { BELIEVED_MS, SessionMemory } from './cluster/memory/session-memory.ts';
import { alignClock, joinNodes, type Nodes } from './cluster/nodes/nodes.ts';
import { NoticeBoard } from './cluster/follow/notice-board.ts';
import { openDoorbell } from './cluster/nodes/doorbell.ts';
import { createReader, type Reader } from './cluster/follow/reader.ts';
import { RefusalLog } from './cluster/upkeep/refusal-log.ts';
import {
  type Config,
  ConfigError,
  type Environment,
  isLoopbackHost,
  readConfig,
  WITHOUT_FSYNC,
} from './config.ts';
import { createEndOne } from './cluster/endings/end-one.ts';
import { createDemoAccounts, openDemoAccounts, sentenceOfOpen } from './actions/demo-accounts.ts';
import { tokenLifeSeconds, type World } from './world/world.ts';
import { PASSWORD_MIN_LENGTH } from './domain/password.ts';
import { flushSeconds } from './domain/session.ts';
import { createApp } from './http/app.ts';
import { FAMILIES } from './http/families.ts';
import { createQuickCheck } from './http/node-http/quick-check.ts';
import type { Connection } from './http/environment.ts';
import { createMetrics } from './http/operator/metrics.ts';
import { createNodeListener } from './http/node-http/listener.ts';
import { OpenStreams } from './http/admin/open-streams.ts';
import { RequestLog } from './http/request-log.ts';
import { createUpgrades, webSocketPath } from './http/sockets/upgrades.ts';
import { createAuthenticator } from './keys/authenticator.ts';
import { openKeyRing } from './keys/ring.ts';
import type { Database } from './store/database.ts';
import { claimIncarnation } from './store/epoch.ts';
import { readNodeSecret } from './store/node-secret.ts';
import { readIdentity } from './store/nodes.ts';
import { writeDurably } from './store/durable-files.ts';
import { openEmbedded } from './store/embedded.ts';
import { refuseBackup } from './store/backup.ts';
import { migrate } from './store/migrate.ts';
import { findSpelledApart } from './store/users.ts';
import { refuseMoved } from './store/move.ts';
import { openPostgres } from './store/postgres.ts';
import { bringLogBack } from './store/restored.ts';
import { endProcess } from './system/end-process.ts';
import { createLog } from './system/log.ts';
import { createPasswordHasher } from './system/passwords.ts';
import { NO_PLACES, openPlaces } from './system/places.ts';
import { realSystem } from './system/real.ts';
import type { System } from './system/system.ts';
import { realTimers, type Timers } from './system/timers.ts';

/** What `curfew prove` tries. */
export { FAMILIES };
export type { Family, Trial } from './http/contract/family.ts';

/** The migration that leaves addresses of one spelling, where nobody else has it already. */
const ONE_SPELLING = '0008-one-spelling.sql';

/** Credentials that one process remembers; some 500 bytes each. */
const MEMORY_CAPACITY = 200_000;
const KEYS_REFRESH_MS = 60_000;
/** How long a start may say nothing while it waits for a database. */
const SILENCE_MS = 500;
/** How far the clocks by which two nodes date tokens may stand apart, together with what a checker allows. */
const CLOCKS_APART_MS = 60_000;

export interface AuthorityOptions {
  /**
   * The settings of docs/settings.md by their names, as strings: `{ DATABASE_URL: 'postgres://…' }`. The environment
   * of the process is not read but for NODE_ENV; pass `process.env` to have it so.
   */
  settings?: Environment;
  /** A pino logger; without one, JSON lines on standard output. */
  log?: Logger;
  /**
   * True when the process is the authority's alone: the HTTP adapter may then replace the global Request and Response
   * by lighter ones.
   */
  ownProcess?: boolean;
  /** Hears what the start does, where that may take seconds, before it begins. Without it the log does. */
  onStep?: (what: string) => void;
  /** A clock, randomness and password hashing of one's own, for tests. */
  system?: Partial<System>;
}

/** A running authority. */
export interface Authority {
  /**
   * Answers a request (WHATWG fetch). `connection.address` is the client's address where the host knows it.
   */
  readonly fetch: (request: Request, connection?: Connection) => Promise<Response>;
  /** The same for node:http, quicker: `http.createServer(authority.listener)`. */
  readonly listener: (req: IncomingMessage, res: ServerResponse) => void;
  /**
   * Answers a request to open a WebSocket: `server.on('upgrade', authority.upgrade)`. Back ends with the verifier need it
   * (`GET /v1/feed`), and devices that want to be told when their session ends (`GET /v1/notices`). A request that asks for
   * another upgrade goes back to the server's ordinary listener: WebSockets of one's own are to be looked for first.
   */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Whether a request asks for one of those: node:http's `shouldUpgradeCallback`. */
  readonly takesUpgrade: (request: IncomingMessage) => boolean;
  /** Closes the WebSockets and ends the streams, so that a server that is to stop can: each would keep it open. */
  readonly hangUp: () => void;
  /** Writes back what is pending, signs off, closes the database. */
  readonly close: () => Promise<void>;
  readonly config: Config;
}

/** What a command works with, without HTTP. */
export interface OpenWorld {
  world: World;
  close: () => Promise<void>;
}

/**
 * Builds the authority: database (embedded or PostgreSQL), migrations, keys, caches, nodes, HTTP.
 * @throws ConfigError, DirectoryInUse, SchemaMismatch, WrongKey, or the database's own error
 * @example
 * const authority = await createAuthority({ settings: { DATABASE_URL: 'postgres://localhost/curfew' } });
 * export default { fetch: authority.fetch };
 */
export async function createAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const config = readConfig(options.settings ?? {});
  const { world, close } = await openWorld(config, options);
  try {
    await prepareDemoAccounts(world);
  } catch (error) {
    await close();
    throw error;
  }
  const metrics = createMetrics(world);
  const streams = new OpenStreams();
  const requests = new RequestLog(world.system);
  const app = createApp(world, metrics, streams, requests, FAMILIES);
  const fetch = async (request: Request, connection: Connection = {}): Promise<Response> =>
    app.fetch(request, connection);
  const quickCheck = createQuickCheck(world, fetch, requests);
  const listener = createNodeListener(
    fetch,
    (req, res) => {
      const answered = quickCheck(req, res);
      if (answered) metrics.quickCheck();
      return answered;
    },
    options.ownProcess ?? false,
  );
  const upgrades = createUpgrades(world, metrics);
  const hangUp = (): void => {
    upgrades.close();
    streams.close();
  };
  return {
    fetch,
    listener,
    upgrade: (request, socket, head) => upgrades.upgrade(request, socket, head),
    takesUpgrade: (request) => webSocketPath(request) !== null,
    hangUp,
    close: () => {
      hangUp();
      requests.sum();
      return close();
    },
    config,
  };
}

/**
 * Makes the demonstration accounts, or makes sure that none of an earlier trial is open to everybody.
 * @throws ConfigError
 */
async function prepareDemoAccounts(world: World): Promise<void> {
  const { config, database, system } = world;
  if (config.demoAccounts) return createDemoAccounts(world);
  if (!config.production && isLoopbackHost(config.host)) return;
  const open = await openDemoAccounts(database, system.passwords);
  if (open.length > 0) throw new ConfigError('CURFEW_DEMO_ACCOUNTS', sentenceOfOpen(open));
}

/** Everything below HTTP, built top to bottom. */
export async function openWorld(config: Config, options: AuthorityOptions = {}): Promise<OpenWorld> {
  const log = options.log ?? createLog(config.logLevel);
  const places =
    config.places === null
      ? NO_PLACES
      : await openPlaces(config.places, (err) =>
          log.warn({ err }, 'the database of CURFEW_PLACES is damaged: some places are not shown'),
        );
  const system: System = {
    ...realSystem(log, createPasswordHasher(config.hashing), places),
    ...options.system,
  };
  const closers: (() => Promise<void>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    const onStep = options.onStep ?? ((what: string): void => log.info(what));
    const database = await openDatabase(config, log, onStep, system);
    closers.push(() => database.close());
    const stopWaiting = system.after(SILENCE_MS, () => onStep(`waiting for ${database.description}`));
    const heard = (what: string): void => {
      stopWaiting();
      onStep(what);
    };
    const applied = await migrate(database, (name) => heard(`applying migration ${name}`), heard).finally(
      stopWaiting,
    );
    if (applied.length > 0) log.info({ applied }, 'the schema was migrated');
    const apart = applied.includes(ONE_SPELLING) ? await findSpelledApart(database) : [];
    if (apart.length > 0)
      log.warn(
        { user_ids: apart },
        'the e-mail addresses of these users are spelled as those of other users but for composed characters: each logs in with the exact spelling. See curfew doctor',
      );
    if (config.passwordMinLength < PASSWORD_MIN_LENGTH)
      log.warn(
        { setting: 'CURFEW_PASSWORD_MIN_LENGTH' },
        `new passwords may have ${config.passwordMinLength} characters: fewer than ${PASSWORD_MIN_LENGTH} are quickly guessed`,
      );
    const broughtBack = await bringLogBack(database);
    if (broughtBack)
      log.warn(
        broughtBack,
        'the database was restored from another PostgreSQL: its log was given numbers of this one, and its readers go on where they stood',
      );
    await claimIncarnation(database);
    await alignClock(database, system);
    const world = await buildWorld(config, system, database, closers);
    return { world, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function buildWorld(
  config: Config,
  system: System,
  database: Database,
  closers: (() => Promise<void>)[],
): Promise<World> {
  const { log } = system;
  const applications = [...config.applications.values()];
  const encryptionKey = config.encryptionKey ?? embeddedKey(config);
  const keys = await openKeyRing({
    database,
    system,
    encryptionKey,
    previousKey: config.previousKey,
    issuer: config.issuer,
    audiences: [...new Set(applications.map((application) => application.audience))],
    algorithms: [...new Set(applications.map((application) => application.algorithm))],
    rotationDays: config.keys.rotationDays,
    publishSeconds: config.keys.publishSeconds,
    keepSeconds: tokenLifeSeconds(config) + 60,
  });
  if (!config.encryptionKey && config.database.kind === 'postgres')
    log.warn('CURFEW_KEY is not set: the signing keys lie in the database in the clear');
  const stopRefreshing = system.every(KEYS_REFRESH_MS, () => {
    keys.refresh().catch((err: unknown) => log.warn({ err }, 'the signing keys could not be read again'));
  });
  closers.push(async () => stopRefreshing());

  const installation = await readIdentity(database);
  const secrets =
    encryptionKey === null
      ? [await readNodeSecret(database, system.randomBytes(32))]
      : [encryptionKey, config.previousKey].filter((secret) => secret !== null);

  let nodes: Nodes | undefined;
  let evictor: Evictor | undefined;
  const memory = new SessionMemory(system, MEMORY_CAPACITY, {
    judge: (session) => nodes?.judge(session) ?? 'unsure',
    ends: (session) => nodes?.ends(session) ?? false,
  });
  const flushMs = flushSeconds(Math.min(...applications.map(({ idleSeconds }) => idleSeconds))) * 1000;
  const notices = new NoticeBoard({
    database,
    system,
    ends: (session) => nodes?.ends(session) ?? false,
    hint: (userIds) => nodes?.hint(userIds),
    flushMs,
  });
  closers.push(() => notices.close());
  nodes = await joinNodes({
    database,
    system,
    leaseMs: config.leaseMs,
    keepMs: Math.max(tokenLifeSeconds(config) * 1000 + CLOCKS_APART_MS, 2 * BELIEVED_MS),
    doorbell: openDoorbell(
      database,
      config.redisUrl,
      installation,
      () => nodes?.node.others ?? 0,
      system,
      createAuthenticator(secrets, installation, 'curfew messages of nodes'),
    ),
    onEnding: (ending, event, own) => {
      memory.change(ending.changed);
      try {
        notices.took(ending, event);
        // A failure is said by the connection, and the durable reader tries again.
        if (!own) evictor?.evict(event).catch(() => undefined);
      } catch (err) {
        // Those above decide what is answered; these only hear of it.
        log.error({ err, position: event.position }, 'an ending could not be passed on');
      }
    },
    onHint: (userIds) => notices.heardOf(userIds),
    onGap: () => memory.forget(),
  });
  const joined = nodes;
  closers.push(() => joined.close());

  const cached = openCopies(config, system, database, closers);
  evictor = cached?.evictor;
  const audit = createReader({ name: 'audit', system, pass: auditPass(database) });
  const marker = createReader({ name: 'marker', system, pass: markerPass(database) });
  for (const reader of [audit, marker]) closers.push(() => reader.close());

  const housekeeping = startHousekeeping({
    database,
    system,
    memory,
    flushMs,
    retentionDays: config.retentionDays,
    eventsRetentionDays: config.eventsRetentionDays,
    auditRetentionDays: config.auditRetentionDays,
    onRanOut: (userIds) => {
      for (const userId of userIds) notices.changed(userId);
    },
  });
  closers.push(() => housekeeping.close());
  const refusals = new RefusalLog(database, system);
  closers.push(() => refusals.close());
  return {
    config,
    system,
    database,
    keys,
    memory,
    nodes: joined,
    followers: new Followers(),
    notices,
    redis: cached?.redis ?? null,
    copies: {
      redis: cached?.redis ?? null,
      memory,
      seconds: config.cache.seconds,
      authenticator: createAuthenticator(secrets, installation, 'curfew cached copies'),
      refused: 0,
    },
    endOne: createEndOne(database, joined, system),
    refusals,
    readers: { audit, marker, evictor: cached?.reader ?? null },
  };
}

/** Redis, the evictor of the cached keys, and the reader of the log that drives it; null without Redis. */
function openCopies(
  config: Config,
  system: System,
  database: Database,
  closers: (() => Promise<void>)[],
): { redis: RedisCopies; evictor: Evictor; reader: Reader } | null {
  if (config.redisUrl === null) return null;
  let onReturn = (): void => undefined;
  const redis = openRedis(config.redisUrl, system, () => onReturn());
  const evictor = createEvictor({
    database,
    system,
    redis,
    templates: config.cache.keys,
    cacheSeconds: config.cache.seconds,
  });
  const reader = createReader({ name: 'evictor', system, pass: () => evictor.pass() });
  onReturn = () => {
    evictor.redisReturned();
    reader.soon();
  };
  closers.push(() => redis.close());
  closers.push(() => reader.close());
  return { redis, evictor, reader };
}

/** The database of the settings, as it is: nothing is migrated. */
export function openDatabase(
  config: Config,
  log: Logger,
  onStep?: (what: string) => void,
  timers: Timers = realTimers,
): Promise<Database> | Database {
  const { database } = config;
  if (database.kind === 'embedded') {
    refuseBackup(database.directory);
    if (!database.fsync)
      log.warn({ setting: 'CURFEW_EMBEDDED_FSYNC' }, `${WITHOUT_FSYNC}: for tests and trials only`);
    return openEmbedded(database.directory, {
      fsync: database.fsync,
      timers,
      ...(onStep && { onStep }),
      // A move that is under way has the directory.
      onLocked: () => refuseMoved(database.directory),
      onFailure: (failure) => endProcess(log, failure),
    });
  }
  return openPostgres({ ...database, log, timers });
}

/** The embedded database has its key in a file beside it, so that nobody keeps signing keys in the clear. */
function embeddedKey(config: Config): string | null {
  if (config.database.kind !== 'embedded') return null;
  const file = join(config.database.directory, 'curfew.key');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  mkdirSync(config.database.directory, { recursive: true, mode: 0o700 });
  const key = randomBytes(32).toString('base64');
  writeDurably(file, `${key}\n`);
  return key;
}
