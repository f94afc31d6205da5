/**
 * `npm run demo:everywhere`: three nodes on one PostgreSQL (and Redis, where there is one), two back ends that check locally, and the proof
 * that a logout is true in all of them when it answers. Everything runs on this machine, on free ports, and ends afterwards.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createDatabase, findPostgres, startPostgres } from '../packages/server/test/services/postgres.ts';
import { findRedis, startRedis } from '../packages/server/test/services/redis.ts';

const ROOT = join(import.meta.dirname, '..');
const MAIN = join(ROOT, 'packages/server/src/main.ts');
const BACK_END = join(ROOT, 'tools/demo/back-end.ts');
const NODES = 3;
const BACK_ENDS = 2;

const INHERITED = {
  PATH: process.env['PATH'],
  ...(process.env['NODE_COMPILE_CACHE'] && { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] }),
};

const stops: (() => Promise<unknown>)[] = [];
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const databaseUrl = process.env['DATABASE_URL'] ?? (await ownPostgres());
  const redisUrl = process.env['REDIS_URL'] ?? (await ownRedis());
  say(
    `Redis        ${redisUrl === undefined ? 'none: nodes notify each other through PostgreSQL' : redisUrl}`,
  );

  const serviceKey = randomBytes(32).toString('base64url');
  const environment = {
    ...INHERITED,
    NODE_ENV: 'development',
    LOG_LEVEL: 'info',
    DATABASE_URL: databaseUrl,
    CURFEW_SERVICE_KEYS: serviceKey,
    // One name for all of them: by default each would be called after its own port.
    CURFEW_ISSUER: 'http://localhost:8000',
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
  };
  const nodes = await startAll(NODES, 'Node', () =>
    start([MAIN, 'serve'], { ...environment, PORT: '0' }, /"url":"([^"]+)".*"listening"/),
  );
  const backEnds = await startAll(BACK_ENDS, 'Back end', (i) => {
    // Each follows another node, and knows the others.
    const authority = [...nodes.slice(i + 1), ...nodes.slice(0, i + 1)].join(',');
    const settings = { ...INHERITED, AUTHORITY: authority, SERVICE_KEY: serviceKey };
    return start([BACK_END], settings, /listening at (\S+)/);
  });

  const [first = '', ...others] = nodes;
  const rounds = process.argv[2] ?? '10';
  const proof = ['prove', '--rounds', rounds, '--node', others.join(','), '--back-end', backEnds.join(',')];
  say(`\ncurfew ${proof.join(' ')}\n`);
  const child = node([MAIN, ...proof], {
    ...INHERITED,
    CURFEW_URL: first,
    CURFEW_SERVICE_KEY: serviceKey,
  });
  child.stdout?.pipe(process.stdout);
  child.stderr?.pipe(process.stderr);
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

async function ownPostgres(): Promise<string> {
  if (findPostgres() === undefined)
    throw new Error(
      'no PostgreSQL found. Run npm ci, which installs one on Linux and macOS, or set DATABASE_URL',
    );
  const server = await startPostgres({ durable: true });
  stops.push(() => server.stop());
  say(`PostgreSQL   port ${server.port}`);
  return createDatabase(server.url);
}

async function ownRedis(): Promise<string | undefined> {
  if (findRedis() === undefined) return undefined;
  const server = await startRedis();
  stops.push(() => server.stop());
  return server.url;
}

function node(args: string[], env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(process.execPath, ['--conditions=curfew-source', ...args], { cwd: ROOT, env, stdio: 'pipe' });
}

/** Starts several at once, and says where each is. */
async function startAll(
  count: number,
  name: string,
  startOne: (i: number) => Promise<string>,
): Promise<string[]> {
  const addresses = await Promise.all(Array.from({ length: count }, (_, i) => startOne(i)));
  addresses.forEach((address, i) => say(`${`${name} ${i + 1}`.padEnd(13)}${address}`));
  return addresses;
}

/** Starts a process and returns the address at which it says that it listens. */
async function start(args: string[], env: NodeJS.ProcessEnv, listening: RegExp): Promise<string> {
  const child = node(args, env);
  const ended = once(child, 'close');
  stops.push(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let said = '';
  child.stderr?.on('data', (chunk) => (said += String(chunk)));
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      said += `${line}\n`;
      const address = listening.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
    void ended.then(() => reject(new Error(`the process ended at once:\n${said}`)));
  });
}

let interrupted = false;
process.once('SIGINT', () => (interrupted = true));
try {
  process.exitCode = await main();
} catch (error) {
  if (!interrupted) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  for (const stop of stops.reverse()) await stop();
}
