import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findPostgres } from '../packages/server/test/services/postgres.ts';
import { findRedis } from '../packages/server/test/services/redis.ts';
import { requireService } from '../packages/server/test/services/require.ts';
import { MOST_MORE_MS, runCampaign } from './campaign.ts';
import { readOptions } from './options.ts';

/* Back ends with a fault on purpose: what chaos.test.ts does would find one. */

/** What surrounds the faults: starting, calm times, the last look, and the checker. It ends what hangs, and measures nothing. */
const AROUND_MS = 600_000;

const found =
  requireService(
    'PostgreSQL',
    findPostgres(),
    'install the optional dependencies; the chaos test needs it.',
  ) && requireService('Redis', findRedis(), 'install redis-server or valkey; the chaos test needs it.');

describe.skipIf(found === undefined)('three nodes, two back ends, PostgreSQL and Redis', () => {
  test('back ends that believe a yes for 300 ms are found out', {
    timeout: MOST_MORE_MS + AROUND_MS,
  }, async () => {
    const { passed, report, directory } = await runCampaign(
      readOptions(['--seconds', '2', '--believes', '300']),
    );
    expect([passed, report]).toEqual([false, expect.stringMatching(/\nG1: \d/)]);
    rmSync(directory, { recursive: true, force: true });
  });
});
