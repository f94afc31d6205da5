/**
 * How much of each campaign a run does. `npm test` does the short size, so that every kind of test runs there;
 * `npm run test:long` does the long one, of these files alone. See docs/testing.md.
 */
interface Budget {
  /** The test files that are run again by `npm run test:long`. */
  files: readonly string[];
  short: number;
  long: number;
}

/** By the variable of the environment that asks for another size. */
export const BUDGETS = {
  /** Kills of the server under load. */
  CRASH_ROUNDS: {
    files: [
      'packages/server/test/crash/killed-embedded.test.ts',
      'packages/server/test/crash/killed-postgres.test.ts',
    ],
    short: 3,
    long: 50,
  },
  /** Kills of PostgreSQL under load. */
  CRASH_OUTAGES: { files: ['packages/server/test/crash/database-killed.test.ts'], short: 3, long: 10 },
  /** Power cuts under load. */
  POWER_CUTS: { files: ['packages/server/test/crash/power-cut.test.ts'], short: 10, long: 200 },
  /** Seconds of faults. */
  CHAOS_SECONDS: { files: ['chaos/chaos.test.ts'], short: 6, long: 60 },
  /** Seeds of the simulator. */
  SEEDS: { files: ['simulator/simulator.test.ts'], short: 500, long: 10_000 },
  /** Mutations of each point of the guarantee that the simulator has to find. */
  MUTATIONS: { files: ['simulator/simulator.test.ts'], short: 1, long: Number.POSITIVE_INFINITY },
  /** Ways to run the demonstration of three nodes: with Redis, and without. */
  DEMOS: { files: ['tools/demo-everywhere.test.ts'], short: 1, long: 2 },
  /** Test files that the recipes of CONTRIBUTING.md name: so many are run on a copy in which the recipes were followed. */
  RECIPE_TESTS: { files: ['tools/recipes.test.ts'], short: 0, long: Number.POSITIVE_INFINITY },
  /** Logouts of lists that meet each other, on PostgreSQL. */
  RACE_ROUNDS: { files: ['packages/server/test/races/logout.test.ts'], short: 4, long: 20 },
  /** Times that ten tabs need a new token at once. */
  STORM_ROUNDS: { files: ['packages/client/test/storm.test.ts'], short: 5, long: 200 },
  /** Plays of random commands against the reference. */
  MODEL_RUNS: { files: ['packages/server/test/model/sessions.test.ts'], short: 3, long: 12 },
  /** Of settings, languages and the like that a test in a browser goes through, so many of each list. */
  VARIANTS: {
    files: [
      'packages/server/test/http/browser.test.ts',
      'web/test/open-redirect.test.ts',
      'web/test/administration-look.test.ts',
      'web/test/look.test.ts',
      'web/test/devices.test.ts',
      'web/test/login.test.ts',
      'web/test/foreign-origin.test.ts',
      'web/test/keyboard.test.ts',
      'packages/client/test/notices.test.ts',
      'packages/client/test/offline.test.ts',
      'packages/client/test/paths.test.ts',
      'packages/client/test/tabs.test.ts',
    ],
    short: 2,
    long: Number.POSITIVE_INFINITY,
  },
} as const satisfies Record<string, Budget>;

const long = process.env['CURFEW_TEST_LONG'] === '1';

export function budget(name: keyof typeof BUDGETS): number {
  const asked = process.env[name];
  if (asked === undefined) return BUDGETS[name][long ? 'long' : 'short'];
  if (!/^\d{1,9}$/.test(asked)) throw new TypeError(`${name} takes a whole number`);
  return Number(asked);
}

/** Of a list that a test in a browser goes through, the first ones, by the budget `VARIANTS`. What differs most from all others stands first. */
export function variants<One>(all: readonly One[]): readonly One[] {
  return all.slice(0, budget('VARIANTS'));
}

/** What a long run runs: of these files, the tests with the tag `long`; undefined when this is none. */
export function longFiles(): string[] | undefined {
  return long ? [...new Set(Object.values(BUDGETS).flatMap(({ files }) => [...files]))] : undefined;
}
