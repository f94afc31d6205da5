/** What is broken, and which tests have to notice. */
export interface Part {
  /** Directories of sources. */
  sources: readonly string[];
  /** Directories and files of tests: those that are meant to hold this part, without browsers and campaigns of minutes. */
  tests: readonly string[];
  /** Test files that are left out: by a browser, or of the compiled package (what the compiler refuses would be red there). */
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
  store: { sources: ['packages/server/src/store'], tests: SERVER_TESTS, without: OF_BROWSERS },
  nodes: {
    sources: ['packages/server/src/cluster', 'packages/server/src/cache'],
    tests: [...SERVER_TESTS, 'packages/server/test/cache/'],
    without: OF_BROWSERS,
  },
};
