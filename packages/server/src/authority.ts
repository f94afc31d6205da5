import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { createDemoAccounts, openDemoAccounts, sentenceOfOpen } from './actions/demo-accounts.ts';
import { type Config, ConfigError, type Environment, readConfig } from './config.ts';
import { isLoopbackHost } from './system/setting-forms.ts';
import { createApp } from './http/app.ts';
import { FAMILIES } from './http/families.ts';
import { createQuickCheck } from './http/node-http/quick-check.ts';
import type { Connection } from './http/environment.ts';
import { createMetrics } from './http/operator/metrics.ts';
import { createNodeListener } from './http/node-http/listener.ts';
import { OpenStreams } from './http/admin/open-streams.ts';
import { RequestLog } from './http/request-log.ts';
import { createUpgrades, webSocketPath } from './http/sockets/upgrades.ts';
import type { System } from './system/system.ts';
import { openWorld } from './world/open.ts';
import type { World } from './world/world.ts';

/** What `curfew prove` tries. */
export { FAMILIES };
export type { Family, Trial } from './http/contract/family.ts';

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
