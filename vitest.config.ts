import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { longFiles } from './packages/server/test/services/budget.ts';

// Workspace packages are tested from their sources, without a build.
const source = 'curfew-source';

/**
 * The longest files, longest first; the first one is by far the longest of a long run. A long file that began last would run alone,
 * while the other workers have nothing left.
 */
const LONGEST = [
  'crash/power-cut',
  'cli/prove',
  'chaos/chaos',
  'tools/guides',
  'tools/install',
  'examples/browsers',
  'http/browser',
  'web/test/keyboard',
  'tools/demo-everywhere',
  'web/test/administration.',
  'cli/commands',
  'web/test/devices',
  'cli/npm-start',
  'crash/killed',
  'web/test/slow-line',
  'crash/failing-disk',
  'races/start',
  'store/private-directory',
  'cli/watch',
  'web/test/',
  'races/older-copy',
  'races/failover',
  'races/restored',
  'races/two-nodes',
  'simulator/simulator',
  'store/backup',
  'store/move',
  'client/test/',
  'cli/',
  'tools/',
  'examples/',
  'races/',
  'cache/',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = (file: TestSpecification): number => {
      const at = LONGEST.findIndex((name) => file.moduleId.includes(name));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  resolve: { conditions: [source] },
  ssr: {
    resolve: {
      conditions: [source, 'node', 'module', 'development|production'],
      externalConditions: [source],
    },
  },
  test: {
    tags: [{ name: 'long', description: 'has a budget: `npm run test:long` runs it at its long size' }],
    ...(longFiles() && { tagsFilter: ['long'] }),
    include: longFiles() ?? [
      'packages/*/test/**/*.test.ts',
      'web/test/**/*.test.ts',
      'tools/**/*.test.ts',
      'examples/**/*.test.ts',
      'simulator/*.test.ts',
      'chaos/**/*.test.ts',
      'bench/{fan-out,machine}/*.test.ts',
    ],
    globalSetup: [
      'packages/server/test/services/global-setup.ts',
      'packages/client/test/global-setup.ts',
      'web/test/global-setup.ts',
    ],
    setupFiles: ['packages/server/test/services/after-each-file.ts'],
    pool: 'forks',
    // Tests make much that does not live long: with more room for it a tenth of their processor time is saved.
    execArgv: [`--conditions=${source}`, '--max-semi-space-size=64'],
    // Files share a process and its modules: loading the server anew for each would cost more than most files take. See docs/testing.md.
    isolate: false,
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Limits that end what hangs. They measure nothing: a machine with other work to do must not turn a test red.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 40_000 } },
  },
});
