import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { seedClients } from './actions/seed-clients.ts';
import { createDemoAccounts, openDemoAccounts, sentenceOfOpen } from './actions/demo-accounts.ts';
import { type Config, ConfigError, type Environment } from './config.ts';
import { readSettings, type SettingOptions } from './setting-options.ts';
import { isLoopbackHost } from './system/setting-forms.ts';
import { createApp } from './http/app.ts';
import { FAMILIES } from './http/families.ts';
import { createQuickCheck } from './http/node-http/quick-check.ts';
import type { Connection } from './http/connection.ts';
import { isForAuthority } from './http/mount.ts';
import { createMetrics } from './http/operator/metrics.ts';
import { createNodeListener } from './http/node-http/listener.ts';
import { OpenStreams } from './http/admin/open-streams.ts';
import { RequestLog } from './http/request-log.ts';
import { createUpgrades, webSocketPath } from './http/sockets/upgrades.ts';
import type { System } from './system/system.ts';
import { openWorld } from './world/open-world.ts';
import type { World } from './world/world.ts';

/** The options of `createAuthority`. */
export interface AuthorityOptions extends SettingOptions {
  /**
   * The settings of docs/settings.md as texts by their names, beside the options of the same settings, which count before them: `{ DATABASE_URL: 'postgres://…' }`. The process's environment is
   * not read, except for `NODE_ENV`; pass `process.env` to use it. Default: none.
   */
  settings?: Environment;
  /** A pino logger. Default: JSON lines on standard output. */
  log?: Logger;
  /** True when the process runs nothing else: the HTTP adapter may then replace the global `Request` and `Response`. Default: false. */
  ownProcess?: boolean;
  /** Called before each step of the start that may take seconds. Default: the step is logged. */
  onStep?: (what: string) => void;
  /** Accepted like one of CURFEW_SERVICE_KEYS, for this run: for a program's own calls. Default: none. */
  operatorKey?: string;
  /** Another clock, randomness and password hashing, for tests. */
  system?: Partial<System>;
}

/** A running authority. */
export interface Authority {
  /**
   * Whether a request is for the authority: any request under `basePath`, or without one a request for one of its own addresses. A host
   * passes these on, to `fetch` or to `listener`, and answers the others itself.
   */
  readonly handles: (request: IncomingMessage | Request) => boolean;
  /** Answers a request (WHATWG fetch), whose address is whole; with 500 or 503 when something fails. */
  readonly fetch: (request: Request, connection?: Connection) => Promise<Response>;
  /** Answers a request of node:http, faster than `fetch`: `http.createServer(authority.listener)`. */
  readonly listener: (req: IncomingMessage, res: ServerResponse) => void;
  /**
   * Opens the WebSockets of verifiers (`GET /v1/feed`) and of notices (`GET /v1/notices`): `server.on('upgrade', authority.upgrade)`.
   * A request for another upgrade goes back to the server's ordinary listener, so a program serves its own WebSockets first.
   */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Whether a request asks for one of these WebSockets: node:http's `shouldUpgradeCallback`. */
  readonly takesUpgrade: (request: IncomingMessage) => boolean;
  /** Closes WebSockets and streams, which would keep a server from stopping. */
  readonly hangUp: () => void;
  /** Writes pending activity, deregisters the node and closes the database. */
  readonly close: () => Promise<void>;
  /** The settings, parsed. */
  readonly config: Config;
}

/** Starts an authority: see `index.ts`. */
export async function createAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const {
    settings = {},
    ownProcess,
    log: _log,
    onStep: _onStep,
    operatorKey: _operatorKey,
    system: _system,
    ...given
  } = options;
  const config = readSettings(settings, given);
  const { world, close } = await openWorld(config, options);
  try {
    await seedClients(world);
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
    { basePath: config.basePath, ownProcess: ownProcess ?? false },
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
    handles: (request) => isForAuthority(app, config, request),
    takesUpgrade: (request) => webSocketPath(request, config.basePath) !== null,
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
 * Creates the demonstration accounts, or refuses a database where earlier ones still have the public password.
 * @throws ConfigError
 */
async function prepareDemoAccounts(world: World): Promise<void> {
  const { config, database, system } = world;
  if (config.demoAccounts) return createDemoAccounts(world);
  if (!config.production && isLoopbackHost(config.host)) return;
  const open = await openDemoAccounts(database, system.passwords);
  if (open.length > 0) throw new ConfigError('CURFEW_DEMO_ACCOUNTS', sentenceOfOpen(open));
}
