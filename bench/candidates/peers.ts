import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Services } from '../machine/services.ts';
import type { Candidate } from './candidate.ts';
import { startChildServer } from './child-candidate.ts';

/** The shorter of the two cookie caches that are measured: the benchmark can wait for its end. */
const COOKIE_CACHE_SECONDS = 10;

const folder = fileURLToPath(new URL('../peers/', import.meta.url));

/**
 * The peers are no workspace of this repository, so `npm ci` does not install them. The first run installs them, from a lockfile of their
 * own.
 */
export async function installPeers(): Promise<void> {
  const installed = `${folder}node_modules/.package-lock.json`;
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${folder}package-lock.json`).mtimeMs)
    return;
  process.stderr.write('installing the peers (once) …\n');
  // This Node first on the PATH: npm must run on the version that the peers will run on.
  await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` },
  });
}

/** What people use today for the same purpose, each in the form that its documentation recommends. */
export async function startPeers(services: Services): Promise<Candidate[]> {
  return Promise.all([
    startChildServer({
      id: 'fastify-session-no-rolling',
      label: '@fastify/session + Redis (rolling off)',
      kind: 'peer',
      durable: false,
      script: 'peers/fastify-session.ts',
      env: { REDIS_URL: services.redisUrl(1), ROLLING: '0' },
    }),
    startChildServer({
      id: 'fastify-session',
      label: '@fastify/session + Redis (default)',
      kind: 'peer',
      durable: false,
      script: 'peers/fastify-session.ts',
      env: { REDIS_URL: services.redisUrl(2) },
    }),
    startChildServer({
      id: 'jwt-denylist',
      label: 'Express + jsonwebtoken + Redis denylist',
      kind: 'peer',
      durable: false,
      script: 'peers/jwt-denylist.ts',
      env: { REDIS_URL: services.redisUrl(3) },
    }),
    startChildServer({
      id: 'express-session',
      label: 'express-session + Redis',
      kind: 'peer',
      durable: false,
      script: 'peers/express-session.ts',
      env: { REDIS_URL: services.redisUrl(4) },
    }),
    startChildServer({
      id: 'oidc-provider',
      label: 'oidc-provider introspection, revocation (Redis)',
      kind: 'peer',
      durable: false,
      script: 'peers/oidc-provider.ts',
      env: { REDIS_URL: services.redisUrl(5) },
      // RFC 7662 says "no" with 200 and `active: false`.
      refuses: ({ status, body }) => status === 200 && body.includes('"active":false'),
    }),
    startChildServer({
      id: 'better-auth',
      label: 'Better Auth, PostgreSQL',
      kind: 'peer',
      durable: true,
      script: 'peers/better-auth.ts',
      env: { DATABASE_URL: await services.makeDatabase('better_auth') },
    }),
    // Five minutes, as in its documentation. And once more with ten seconds, to measure for how long it accepts a logged-out session.
    ...[300, COOKIE_CACHE_SECONDS].map(async (seconds) =>
      startChildServer({
        id: `better-auth-cookie-cache-${seconds}`,
        label: `Better Auth, cookie cache of ${seconds} s`,
        kind: 'peer',
        durable: true,
        script: 'peers/better-auth.ts',
        env: {
          DATABASE_URL: await services.makeDatabase(`better_auth_cache_${seconds}`),
          CACHE_SECONDS: String(seconds),
        },
        acceptsLateMs: seconds * 1000,
      }),
    ),
  ]);
}
