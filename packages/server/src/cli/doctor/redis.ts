import { Redis } from 'ioredis';
import type { Findings } from './findings.ts';

const WAIT_MS = 2000;

/** Whether Redis answers. Logouts work without it, but an operator who configures it expects it to be there. */
export async function checkRedis(url: string, findings: Findings): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: WAIT_MS,
    commandTimeout: WAIT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let failure: Error | undefined;
  // The cause of a failure; `connect` only rejects because the connection is closed.
  redis.on('error', (error: Error) => (failure = error));
  try {
    await redis.connect();
    const version = /^(?:valkey|redis)_version:(\S+)/m.exec(await redis.info('server'))?.[1];
    findings.ok('REDIS_URL', `answers${version === undefined ? '' : `, version ${version}`}.`);
  } catch (error) {
    const why = failure ?? (error instanceof Error ? error : new Error(String(error)));
    findings.problem(
      'REDIS_URL',
      `Redis does not answer (${why.message}). Logouts continue without it. Cached profiles are read from the database.`,
    );
  } finally {
    redis.disconnect();
  }
}
