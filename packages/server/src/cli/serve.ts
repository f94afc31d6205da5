import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Logger } from 'pino';
import { DEMO_ADMIN, DEMO_PASSWORD, DEMO_USER } from '../actions/demo-accounts.ts';
import { type Authority, createAuthority } from '../authority.ts';
import { type Environment, readConfig, WITHOUT_FSYNC } from '../config.ts';
import { createLog } from '../system/log.ts';
import { announce, withdraw } from './announcement.ts';
import type { Streams } from './terminal.ts';

/** How long requests may continue after SIGTERM. */
const DRAIN_MS = 10_000;
const IDLE_MS = 50;
const PARENT_MS = 500;

const SERVER_OPTIONS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
};

/**
 * Runs the server process: listens, serves, and drains when it is told to stop.
 * @returns the exit code
 */
export async function serve(
  environment: Environment,
  options: { banner: boolean; stdout: Streams['stdout']; onStep?: (what: string) => void },
): Promise<number> {
  const config = readConfig(environment);
  const { stdout } = options;
  const log = createLog(config.logLevel, stdout.fd === undefined ? stdout : undefined);
  // The key for this machine's commands, which reach the embedded database through the server.
  const operatorKey = randomBytes(32).toString('base64url');
  const embedded = config.database.kind === 'embedded' ? config.database.directory : null;
  const { onStep } = options;
  const authority = await createAuthority({
    settings: environment,
    log,
    ownProcess: true,
    ...(embedded !== null && { operatorKey }),
    ...(onStep && { onStep }),
  });
  // Node before 24.9 ignores this option: `authority.upgrade` then hands foreign upgrades back.
  const upgrades = { shouldUpgradeCallback: authority.takesUpgrade };
  const server = createServer(
    { ...SERVER_OPTIONS, ...upgrades, maxHeaderSize: config.maxHeaderBytes },
    authority.listener,
  );
  server.on('upgrade', authority.upgrade);
  try {
    await listen(server, config.port, config.host);
  } catch (error) {
    await authority.close();
    throw error;
  }
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : config.port;
  const url = addressOf(config.host, port) + config.basePath;
  if (embedded !== null)
    announce(embedded, {
      url: addressOf(reachable(config.host), port) + config.basePath,
      key: operatorKey,
      pid: process.pid,
    });
  if (options.banner && !config.production) stdout.write(banner(authority, url));
  log.info({ url, database: config.database.kind, redis: config.redisUrl !== null }, 'listening');

  const signal = await stopRequested(environment);
  log.info({ signal }, 'draining');
  const drained = drain(server, log);
  authority.hangUp();
  await drained;
  if (embedded !== null) withdraw(embedded);
  await authority.close();
  log.info('stopped');
  return 0;
}

/** SIGTERM, Ctrl-C, a closed terminal; under npm also npm's end, because it does not pass on every signal. */
function stopRequested(environment: Environment): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, resolve);
    if (environment['npm_lifecycle_event'] === undefined) return;
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) resolve('the end of npm');
    }, PARENT_MS).unref();
  });
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Stops accepting, lets requests finish, and closes the rest after a while. */
async function drain(server: Server, log: Logger): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  // A kept-alive connection becomes idle when its request is answered, and only this closes it then.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_MS);
  const late = setTimeout(() => {
    log.warn('unfinished requests were cut off');
    server.closeAllConnections();
  }, DRAIN_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(late);
}

const addressOf = (host: string, port: number): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

/** The address by which this machine reaches a server that listens on all addresses. */
function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
}

function banner(authority: Authority, url: string): string {
  const { config } = authority;
  const { database } = config;
  const lines = [
    '',
    'Curfew, a session authority. When logout answers, it is true everywhere.',
    '',
    `  Listening   ${url}`,
    ...(config.pages ? [`  Pages       ${url}/login`] : []),
    `  API page    ${url}/docs`,
    database.kind === 'embedded'
      ? `  Database    embedded, in ${database.directory}${database.fsync ? '' : `\n              WARNING: ${WITHOUT_FSYNC} (CURFEW_EMBEDDED_FSYNC=0)`}`
      : '  Database    PostgreSQL',
    `  Redis       ${config.redisUrl === null ? 'none' : 'yes'}`,
  ];
  if (config.demoAccounts)
    lines.push(
      '',
      'Demonstration accounts (password for both: ' + DEMO_PASSWORD + ')',
      `  ${DEMO_ADMIN}   administrator, user 1`,
      `  ${DEMO_USER}    user 2`,
      '',
      'Try one line per contract:',
      ...curlLines(url),
    );
  return `${lines.join('\n')}\n\n`;
}

/** One line per contract; a test runs each. */
export function curlLines(url: string): string[] {
  const login = (path: string, body: object): string =>
    `curl -s -X POST ${url}${path} -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`;
  return [
    login('/auth/login', { email: DEMO_USER, password: DEMO_PASSWORD }),
    login('/api/auth/login', { username: DEMO_ADMIN, password: DEMO_PASSWORD }),
    login('/api/v1/auth/login', { email: DEMO_USER, password: DEMO_PASSWORD }),
    `${login('/auth/login', { email: DEMO_USER, password: DEMO_PASSWORD, transport: 'cookie' })} -i`,
  ].map((line) => `  ${line}`);
}
