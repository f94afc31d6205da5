import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { longFiles } from './packages/server/test/services/budget.ts';

// Workspace packages are tested from their sources, without a build.
const source = 'curfew-source';

/** The longest files, longest first: begun last, one of them would run alone while the other worker has nothing left. */
const LONGEST = [
  'crash/killed-embedded',
  'crash/killed-postgres',
  'cli/commands',
  'simulator/simulator',
  'examples/browsers',
  'web/test/look',
  'chaos/chaos',
  'http/browser',
  'client/test/storm',
  'client/test/tabs',
  'cli/serve',
  'web/test/devices',
  'races/two-nodes',
  'web/test/',
  'tools/guides',
  'cache/redis-trouble',
  'verifier/test/outage',
  'model/sessions',
  'examples/',
  'cli/prove',
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
    include: longFiles() ?? [
      'packages/*/test/**/*.test.ts',
      'web/test/**/*.test.ts',
      'tools/**/*.test.ts',
      'examples/**/*.test.ts',
      'simulator/*.test.ts',
      'chaos/**/*.test.ts',
      'bench/fan-out/*.test.ts',
    ],
    globalSetup: ['packages/server/test/services/global-setup.ts', 'web/test/global-setup.ts'],
    pool: 'forks',
    execArgv: [`--conditions=${source}`],
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Limits that end what hangs. They measure nothing: a machine with other work to do must not turn a test red.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 40_000 } },
  },
});
