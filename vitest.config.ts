import { defineConfig } from 'vitest/config';

// Workspace packages are tested from their sources, without a build.
const source = 'curfew-source';

export default defineConfig({
  resolve: { conditions: [source] },
  ssr: {
    resolve: {
      conditions: [source, 'node', 'module', 'development|production'],
      externalConditions: [source],
    },
  },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'tools/**/*.test.ts', 'examples/**/*.test.ts'],
    globalSetup: ['packages/server/test/services/global-setup.ts'],
    pool: 'forks',
    execArgv: [`--conditions=${source}`],
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
