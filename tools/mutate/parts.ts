/** The parts of the code that the tool breaks, and the tests that must notice. */
export interface Part {
  /** Directories of sources. */
  sources: readonly string[];
  /** Directories and files of the tests of this part, without browsers and campaigns of minutes. */
  tests: readonly string[];
  /**
   * Test files that are left out: those in a browser, and those of the compiled package, which fail for everything that the compiler
   * refuses.
   */
  without?: readonly string[];
  /** Sizes of campaigns among them (see budget.ts). */
  budgets?: Readonly<Record<string, string>>;
}

const SERVER_TESTS = ['actions', 'cluster', 'domain', 'http', 'keys', 'races', 'store', 'system'].map(
  (room) => `packages/server/test/${room}/`,
);

const OF_BROWSERS = ['packages/server/test/http/browser.test.ts'];

export const PARTS: Readonly<Record<string, Part>> = {
  protocol: {
    sources: ['packages/protocol/src'],
    tests: ['packages/protocol/test/', 'simulator/'],
    budgets: { SEEDS: '150' },
  },
  verifier: {
    sources: ['packages/verifier/src'],
    tests: ['packages/verifier/test/'],
    without: ['packages/verifier/test/node-20.test.ts'],
  },
  actions: { sources: ['packages/server/src/actions'], tests: SERVER_TESTS, without: OF_BROWSERS },
  store: {
    sources: ['packages/server/src/store'],
    tests: [...SERVER_TESTS, 'packages/server/test/crash/durable-files.test.ts'],
    without: OF_BROWSERS,
  },
  nodes: {
    sources: ['packages/server/src/cluster', 'packages/server/src/cache'],
    tests: [...SERVER_TESTS, 'packages/server/test/cache/'],
    without: OF_BROWSERS,
  },
};
