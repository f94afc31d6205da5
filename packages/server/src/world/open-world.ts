import type { Logger } from 'pino';
import { openRedis } from '../cache/redis.ts';
import { afterCommit } from '../cluster/endings/after-commit.ts';
import { createEndOne, type EndOne } from '../cluster/endings/end-one.ts';
import { NoticeBoard } from '../cluster/follow/notice-board.ts';
import type { LogReader } from '../cluster/follow/log-reader.ts';
import { READERS } from '../cluster/follow/readers.ts';
import { Readers } from '../cluster/follow/registry.ts';
import { KeyMemory } from '../cluster/memory/key-memory.ts';
import { WrongKeys } from '../cluster/memory/wrong-keys.ts';
import { CLIENT_EVENTS, KnownClients } from '../cluster/memory/known-clients.ts';
import { BELIEVED_MS, SessionMemory } from '../cluster/memory/session-memory.ts';
import { alignClock } from '../cluster/nodes/align-clock.ts';
import { openDoorbell } from '../cluster/nodes/doorbell.ts';
import { Followers } from '../cluster/nodes/followers.ts';
import { joinNodes, type Nodes } from '../cluster/nodes/joined-node.ts';
import { PropagationHistory } from '../cluster/state/propagation.ts';
import { startHousekeeping } from '../cluster/upkeep/housekeeping.ts';
import { RefusalLog } from '../cluster/upkeep/refusal-log.ts';
import { type Config, ConfigError, retentionDays } from '../config.ts';
import { faultOfClient, seedsOf } from '../domain/client-terms.ts';
import { flushSeconds } from '../domain/session.ts';
import { createAuthenticator } from '../keys/authenticator.ts';
import { embeddedKey } from '../keys/embedded-key.ts';
import { type KeyRing, openKeyRing } from '../keys/key-ring.ts';
import type { Database } from '../store/database.ts';
import { readNodeSecret } from '../store/node-secret.ts';
import { readIdentity } from '../store/node-registry.ts';
import { openDatabase } from '../store/open-database.ts';
import { createLog } from '../system/log.ts';
import { createPasswordHasher } from '../system/password-hashing.ts';
import { NO_PLACES, openPlaces } from '../system/places.ts';
import { realSystem } from '../system/real.ts';
import type { System } from '../system/system.ts';
import { prepareDatabase } from './prepare-database.ts';
import type { World } from './world.ts';

/** The credentials that one process remembers, about 500 bytes each. */
const MEMORY_CAPACITY = 200_000;
const KEYS_REFRESH_MS = 60_000;
/** How often it is written when API keys were last used. */
const KEY_USE_MS = 60_000;
/** How far the clocks of two nodes that date tokens may differ, plus the tolerance of a checker. */
const CLOCKS_APART_MS = 60_000;

/** The part of the world that commands use, without HTTP. */
export interface OpenWorld {
  world: World;
  close: () => Promise<void>;
}

interface WorldOptions {
  log?: Logger;
  onStep?: (what: string) => void;
  system?: Partial<System>;
  /** Accepted like one of CURFEW_SERVICE_KEYS. */
  operatorKey?: string;
  /** Other readers of the log than those of the list. */
  readers?: readonly LogReader[];
}

/** Things to close, in the order in which they were opened. */
type Closers = (() => Promise<void> | void)[];

/** Opens everything below HTTP, from top to bottom. */
export async function openWorld(config: Config, options: WorldOptions = {}): Promise<OpenWorld> {
  const system = await openSystem(config, options);
  const { log } = system;
  const closers: Closers = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  try {
    const onStep = options.onStep ?? ((what: string): void => log.info(what));
    const database = await openDatabase(config, log, onStep, system);
    closers.push(() => database.close());
    await prepareDatabase(config, system, database, onStep);
    await alignClock(database, system);
    const clients = await openClients(config, database);
    const { operatorKey } = options;
    const accepting =
      operatorKey === undefined ? config : { ...config, serviceKeys: [...config.serviceKeys, operatorKey] };
    const world = await buildWorld(accepting, system, database, clients, options.readers ?? READERS, closers);
    return { world, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openSystem(config: Config, options: WorldOptions): Promise<System> {
  const log = options.log ?? createLog(config.logLevel);
  const places =
    config.places === null
      ? NO_PLACES
      : await openPlaces(config.places, (err) =>
          log.warn({ err }, 'the database of CURFEW_PLACES is damaged: some places are not shown'),
        );
  return { ...realSystem(log, createPasswordHasher(config.hashing), places), ...options.system };
}

async function buildWorld(
  config: Config,
  system: System,
  database: Database,
  clients: KnownClients,
  list: readonly LogReader[],
  closers: Closers,
): Promise<World> {
  const encryptionKey = config.encryptionKey ?? embeddedKey(config);
  const keys = await openKeys(config, system, database, clients, encryptionKey, closers);
  const installation = await readIdentity(database);
  const secrets = await nodeSecrets(config, system, database, encryptionKey);
  const authenticatorOf = (purpose: Parameters<typeof createAuthenticator>[2]) =>
    createAuthenticator(secrets, installation, purpose);
  const nodes = await joinNodes({
    database,
    system,
    leaseMs: config.leaseMs,
    keepMs: keepMs(clients),
    reloads: [{ after: CLIENT_EVENTS, load: clients.load }],
    doorbell: openDoorbell(
      database,
      config.redisUrl,
      installation,
      system,
      authenticatorOf('curfew messages of nodes'),
    ),
  });
  closers.push(() => nodes.close());
  const propagation = new PropagationHistory(() => system.now().getTime());
  nodes.onConfirmed((ms, how) => propagation.confirmed(ms, how));

  // The subscriber that decides about an ending comes before those that only hear of it.
  const memory = new SessionMemory(system, MEMORY_CAPACITY, nodes);
  nodes.onGap(() => memory.forget());
  nodes.onEnding((ending) => memory.change(ending.changed));
  const apiKeys = openKeyMemory(database, system, nodes, closers);
  // From here on the copies hear of endings and clients: answers to earlier questions are not cached.
  followClients(clients, nodes, memory);
  const redis = openOptionalRedis(config, system, closers);
  const { readers, notices } = openReaders(config, system, database, clients, nodes, redis, list, closers);
  const refusals = new RefusalLog(database, system);
  closers.push(() => refusals.close());
  startUpkeep(config, system, database, clients, memory, notices, closers);
  return {
    config,
    system,
    database,
    keys,
    clients,
    memory,
    apiKeys,
    wrongKeys: new WrongKeys(system, config.loginLimits),
    nodes,
    propagation,
    followers: new Followers(),
    notices,
    redis,
    copies: {
      redis,
      memory,
      seconds: config.cache.seconds,
      authenticator: authenticatorOf('curfew cached copies'),
      refused: 0,
    },
    endOne: endOneFor(database, system, { nodes, readers }),
    refusals,
    readers,
  };
}

function openOptionalRedis({ redisUrl }: Config, system: System, closers: Closers): World['redis'] {
  const redis = redisUrl === null ? null : openRedis(redisUrl, system);
  closers.push(() => redis?.close());
  return redis;
}

/** From so many verifiers on, sending a commit to all of them costs more than the commit. */
const MANY_VERIFIERS = 8;

const endOneFor = (database: Database, system: System, parts: Pick<World, 'nodes' | 'readers'>): EndOne =>
  createEndOne(
    database,
    (endings) => afterCommit(parts, endings),
    system,
    () => parts.nodes.node.publisher.size >= MANY_VERIFIERS,
  );

/** The keys of the MACs of nodes, the current one first. */
async function nodeSecrets(
  { previousKey }: Config,
  system: System,
  database: Database,
  encryptionKey: string | null,
): Promise<(string | Buffer)[]> {
  if (encryptionKey === null) return [await readNodeSecret(database, system.randomBytes(32))];
  return [encryptionKey, ...(previousKey === null ? [] : [previousKey])];
}

/** @throws ConfigError when the settings contradict a client of the database */
async function openClients(config: Config, database: Database): Promise<KnownClients> {
  const clients = new KnownClients(database, config.clientDefaults, seedsOf(config.givenClients));
  await clients.load();
  for (const record of clients.records) {
    const fault = faultOfClient(record.clientId, record, config.clientDefaults, retentionDays(config));
    if (fault) throw new ConfigError(fault.setting ?? 'CURFEW_CLIENTS', fault.sentence);
  }
  return clients;
}

/** Endings must outlive every token that a replica may judge alone. */
const keepMs = ({ tokenLifeSeconds }: KnownClients): number =>
  Math.max(tokenLifeSeconds * 1000 + CLOCKS_APART_MS, 2 * BELIEVED_MS);

/** What depends on the clients learns of their changes, in the turn in which they become known here. */
function followClients(clients: KnownClients, nodes: Nodes, memory: SessionMemory): void {
  // Pairs: two applications may change audiences with each other.
  const audiences = (): string[][] =>
    [...clients.clients]
      .map(([id, { audience }]) => [id, audience])
      .filter(([, one]) => one !== clients.audience);
  const termsOfFeed = (): string => JSON.stringify([clients.tokenLifeSeconds, ...audiences()]);
  let terms = termsOfFeed();
  const adapt = (): void => {
    const before = terms;
    terms = termsOfFeed();
    if (terms !== before) nodes.keepFor(keepMs(clients));
    // The audience of a credential that was judged may have changed.
    memory.forget();
  };
  clients.onChange(adapt);
  // The node may have read a change while it started.
  nodes.keepFor(keepMs(clients));
  memory.forget();
}

async function openKeys(
  config: Config,
  system: System,
  database: Database,
  clients: KnownClients,
  encryptionKey: string | null,
  closers: Closers,
): Promise<KeyRing> {
  const { log } = system;
  const keys = await openKeyRing({
    database,
    system,
    encryptionKey,
    previousKey: config.previousKey,
    issuer: config.issuer,
    algorithms: () => clients.algorithms,
    rotationDays: config.keys.rotationDays,
    publishSeconds: config.keys.publishSeconds,
    keepSeconds: () => clients.tokenLifeSeconds + 60,
  });
  if (!config.encryptionKey && config.database.kind === 'postgres')
    log.warn('CURFEW_KEY is not set: the signing keys are stored unencrypted in the database');
  closers.push(
    system.every(KEYS_REFRESH_MS, () => {
      keys.refresh().catch((err: unknown) => log.warn({ err }, 'could not read the signing keys again'));
    }),
  );
  return keys;
}

/** The memory of API keys, which follows the log. */
function openKeyMemory(database: Database, system: System, nodes: Nodes, closers: Closers): KeyMemory {
  const apiKeys = new KeyMemory(database, system, () => nodes.node.isFresh());
  nodes.onGap(() => apiKeys.forget());
  nodes.onEnding((_ending, { type }) => {
    // Keys of a disabled client are dead.
    if (type.startsWith('api_key_') || type.startsWith('client_')) apiKeys.forget();
  });
  const flush = (): Promise<void> =>
    apiKeys
      .flush()
      .catch((err: unknown) =>
        system.log.warn({ err }, 'could not write when API keys were used; will retry'),
      );
  closers.push(
    flush,
    system.every(KEY_USE_MS, () => void flush()),
  );
  return apiKeys;
}

/** The readers of the log, and the board of sockets that wait for notices. */
function openReaders(
  config: Config,
  system: System,
  database: Database,
  clients: KnownClients,
  nodes: Nodes,
  redis: World['redis'],
  list: readonly LogReader[],
  closers: Closers,
): Pick<World, 'readers' | 'notices'> {
  const notices = new NoticeBoard({
    database,
    system,
    ends: (session) => nodes.ends(session),
    hint: (userIds) => nodes.hint(userIds),
    flushMs: () => flushSeconds(clients.shortestIdleSeconds) * 1000,
  });
  closers.push(() => notices.close());
  nodes.onHint((userIds) => notices.heardOf(userIds));
  const readers = new Readers(list, { config, system, database, redis, notices });
  closers.push(() => readers.close());
  nodes.onEnding((ending, event, own) => readers.took(ending, event, own));
  return { readers, notices };
}

function startUpkeep(
  config: Config,
  system: System,
  database: Database,
  clients: KnownClients,
  memory: SessionMemory,
  notices: NoticeBoard,
  closers: Closers,
): void {
  const housekeeping = startHousekeeping({
    database,
    system,
    memory,
    flushMs: () => flushSeconds(clients.shortestIdleSeconds) * 1000,
    ownAudience: clients.audience,
    retentionDays: config.retentionDays,
    eventsRetentionDays: config.eventsRetentionDays,
    auditRetentionDays: config.auditRetentionDays,
    onRanOut: (userIds) => {
      for (const userId of userIds) notices.changed(userId);
    },
  });
  closers.push(() => housekeeping.close());
}
