/** The script that shows the promise on one machine: three nodes, two back ends, and the proof. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { budget } from '../packages/server/test/services/budget.ts';
import { findPostgres } from '../packages/server/test/services/postgres.ts';
import { findRedis } from '../packages/server/test/services/redis.ts';
import { compileCache } from '../packages/server/test/services/scratch.ts';
import { requireService } from '../packages/server/test/services/require.ts';

const found =
  requireService('PostgreSQL', findPostgres(), 'install the optional dependencies; the demo needs it.') &&
  requireService('Redis', findRedis(), 'install redis-server or valkey; the demo is run with it too.');

describe.skipIf(found === undefined)('npm run demo:everywhere', () => {
  const ways: [string, NodeJS.ProcessEnv, RegExp][] = [
    ['with Redis', {}, /^Redis {8}redis:/m],
    ['without Redis', { PATH: '/nowhere' }, /^Redis {8}none: nodes notify each other through PostgreSQL$/m],
  ];
  test.each(ways.slice(0, budget('DEMOS')))(
    '%s: nothing that was logged out is accepted anywhere',
    { tags: 'long' },
    async (_name, environment, says) => {
      const demo = spawn(
        process.execPath,
        ['--conditions=curfew-source', join(import.meta.dirname, 'demo-everywhere.ts'), '1'],
        {
          // The demo starts services of its own, and not those of the tests' settings.
          env: {
            ...process.env,
            DATABASE_URL: undefined,
            REDIS_URL: undefined,
            ...compileCache(),
            ...environment,
          },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      let output = '';
      for (const stream of [demo.stdout, demo.stderr])
        stream.on('data', (chunk) => (output += String(chunk)));
      const [code] = (await once(demo, 'close')) as [number | null];
      expect(code, output).toBe(0);
      expect(output).toMatch(says);
      expect(output.match(/^Node \d {7}http:/gm)).toHaveLength(3);
      expect(output.match(/^Back end \d {3}http:/gm)).toHaveLength(2);
      expect(output).toMatch(
        /^True everywhere: \d+ logouts, \d+ checks after their answers, no check accepted\.$/m,
      );
    },
  );
});
