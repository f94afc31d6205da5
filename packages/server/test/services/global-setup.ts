/** Starts the services that all test files share, once per run, and provides their addresses. */
import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import { findChromium, shareChromium } from './chromium.ts';
import { makeEmbeddedTemplate } from './embedded-template.ts';
import { findPostgres, startPostgres, withClient } from './postgres.ts';
import { findRedis, startRedis } from './redis.ts';
import { sweepPorts } from './ports.ts';
import { requireService } from './require.ts';
import { sweepScratch } from './scratch.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser address of the shared PostgreSQL, which does not sync to disk. */
    postgresUrl: string | undefined;
    /** Address of the shared Redis. */
    redisUrl: string | undefined;
    /** Who is asked for the shared Chromium. */
    chromium: string | undefined;
    /** A data directory of the embedded database, migrated and empty, to be copied. */
    embeddedData: string;
    /** How the names of this run's databases begin. */
    databasePrefix: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  sweepScratch();
  sweepPorts();
  const databasePrefix = `curfew_test_${randomBytes(4).toString('hex')}`;
  const external = { postgres: process.env['TEST_DATABASE_URL'], redis: process.env['TEST_REDIS_URL'] };

  const program = requireService(
    'Chromium',
    findChromium(),
    'install chromium, or set CHROMIUM to its path; browser tests need it.',
  );
  const chromium = program === undefined ? undefined : await shareChromium(program);

  const mayStartPostgres = external.postgres === undefined && findPostgres() !== undefined;
  const mayStartRedis = external.redis === undefined && findRedis() !== undefined;
  // Held until the services have started: a failure here must stop them too.
  const embedded = makeEmbeddedTemplate();
  embedded.catch(() => undefined);
  const started = await Promise.allSettled([
    mayStartPostgres ? startPostgres({ bySocket: process.platform !== 'win32' }) : undefined,
    mayStartRedis ? startRedis() : undefined,
  ]);
  const servers = started.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
  const stopAll = async (): Promise<void> => {
    await Promise.all([...servers, chromium].map(async (server) => server?.stop()));
  };
  const [postgres, redis] = servers;
  const postgresUrl = external.postgres ?? postgres?.url;

  try {
    const failure = started.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
    project.provide('embeddedData', await embedded);
    project.provide('databasePrefix', databasePrefix);
    project.provide('chromium', chromium?.url);
    project.provide(
      'postgresUrl',
      requireService(
        'PostgreSQL',
        postgresUrl,
        'install the optional dependencies or PostgreSQL 15+, or set TEST_DATABASE_URL; all store tests need it.',
      ),
    );
    project.provide(
      'redisUrl',
      requireService(
        'Redis',
        external.redis ?? redis?.url,
        'install redis-server or valkey, or set TEST_REDIS_URL; the cache tests need it.',
      ),
    );
  } catch (error) {
    await stopAll();
    throw error;
  }

  return async () => {
    // A server that is not ours must not keep our databases.
    if (external.postgres !== undefined) await dropDatabases(external.postgres, databasePrefix);
    await stopAll();
  };
}

async function dropDatabases(adminUrl: string, prefix: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    const found = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE starts_with(datname, $1)',
      [prefix],
    );
    for (const { datname } of found.rows)
      await client.query(`DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
  });
}
