/** Follows the recipes of CONTRIBUTING.md to the letter in a copy of the checkout, and tries what they add. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { budget } from '../packages/server/test/services/budget.ts';
import { freshDatabase, hasPostgres } from '../packages/server/test/services/fresh-database.ts';
import type {} from '../packages/server/test/services/global-setup.ts';
import { withClient } from '../packages/server/test/services/postgres.ts';
import { migrated } from '../packages/server/test/support.ts';
import { copyCheckout } from './mutate/checkout-copy.ts';
import { follow, readRecipes } from './recipes/recipe.ts';
import type { Tried, Trial } from './recipes/try.ts';
import { EXCEPTIONS } from './tidy/exceptions.ts';
import { findImportFaults } from './tidy/imports.ts';
import { findSizeFaults } from './tidy/sizes.ts';
import { readTree } from './tidy/source.ts';
import { findWordFaults } from './tidy/words.ts';
import { findFaults } from './tidy.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGE = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
const RECIPES = readRecipes(PAGE);
const CHANGED = [...new Set(RECIPES.flatMap(({ blocks }) => blocks.map(({ path }) => path)))];
const run = promisify(execFile);

let copy: string;
beforeAll(() => {
  copy = copyCheckout(ROOT);
  for (const recipe of RECIPES) follow(recipe, copy);
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Runs a program on the sources of the copy, and returns what it prints. */
async function inCopy(program: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const options = { cwd: copy, env: { ...process.env, ...env }, maxBuffer: 2 ** 26 };
  return (await run(process.execPath, ['--conditions=curfew-source', program, ...args], options)).stdout;
}

test('each recipe lists no more files than an addition may touch', () => {
  expect(Object.fromEntries(RECIPES.map(({ name, listed }) => [name, listed]))).toEqual({
    'A setting': 2,
    'An endpoint': 4,
    'A table': 3,
    'A reader of the log': 4,
    'A family of contracts': 4,
  });
  for (const { name, listed, blocks } of RECIPES)
    expect([name, new Set(blocks.map(({ path }) => path)).size <= listed]).toEqual([name, true]);
});

test('what the recipes add is tidy and formatted', () => {
  const changed = CHANGED.map((path) => ({ path, source: readFileSync(join(copy, path), 'utf8') }));
  const tree = [...readTree().filter(({ path }) => !CHANGED.includes(path)), ...changed];
  const faults = [
    ...findFaults(tree.filter(({ path }) => /^packages\/.*(?:\.tsx?|package\.json)$/.test(path))),
    ...findImportFaults(tree.filter(({ path }) => !path.endsWith('.md'))),
    ...findSizeFaults(
      changed,
      EXCEPTIONS.filter(({ path }) => CHANGED.includes(path)),
    ),
    ...findWordFaults(changed),
  ];
  expect(faults.filter((fault) => CHANGED.some((path) => fault.includes(path)))).toEqual([]);
  const sources = CHANGED.filter((path) => path.endsWith('.ts'));
  execFileSync(join(ROOT, 'node_modules/.bin/biome'), ['format', ...sources], { cwd: copy, stdio: 'pipe' });
});

test('the server with everything that the recipes add is well typed', async () => {
  // Compiles the server alone, without output: the whole tree would take five times as long.
  const compilerOptions = { noEmit: true, composite: false };
  const project = join(copy, 'packages/server/tsconfig.recipes.json');
  writeFileSync(project, JSON.stringify({ extends: './tsconfig.json', compilerOptions, references: [] }));
  const checked = await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', project]).catch(
    (error: { stdout: string }) => error,
  );
  expect(checked.stdout).toBe('');
});

describe.runIf(hasPostgres())('the server with everything that the recipes add', () => {
  const long = `/v1/session?${'x'.repeat(3000)}`;
  const trial = {
    settings: { CURFEW_MAX_URL_LENGTH: '2000' },
    refused: { CURFEW_MAX_URL_LENGTH: '1e4' },
    paths: [long, '/v1/admin/readers'],
  };
  let database: string;
  let tried: Tried;
  beforeAll(async () => {
    database = await freshDatabase(migrated);
    const asked: Trial = { database, ...trial };
    tried = JSON.parse(await inCopy('tools/recipes/try.ts', [JSON.stringify(asked)])) as Tried;
  });

  test('reads the setting, refuses one that is ill-formed, and has it on the page of settings', () => {
    expect(tried.answers[long]?.['user']?.status).toBe(414);
    expect(tried.faults).toEqual(['CURFEW_MAX_URL_LENGTH: must be a whole number from 1024 to 65536.']);
    expect(tried.settingsPage).toContain('### `CURFEW_MAX_URL_LENGTH`');
  });

  test('answers at the endpoint, lets in whom its row names, and describes it', () => {
    const answers = Object.entries(tried.answers['/v1/admin/readers'] ?? {});
    expect(Object.fromEntries(answers.map(([who, { status }]) => [who, status]))).toEqual({
      nobody: 401,
      user: 403,
      administrator: 200,
      'service key': 200,
    });
    expect(tried.openapi.paths['/v1/admin/readers']?.['get']?.security).toEqual([
      { bearer: [] },
      { cookie: [] },
      { service: [] },
    ]);
  });

  test('has the table, and the reader writes into it', async () => {
    expect(tried.answers['/v1/admin/readers']?.['administrator']?.text).toContain('daily-count');
    await withClient(database, async (client) => {
      expect((await client.query('select sum(events) as events from endings_by_day')).rows).toEqual([
        { events: '1' },
      ]);
    });
  });
});

/** The test files that the recipes name. */
const NAMED = new Set(PAGE.match(/packages\/server\/test\/[\w/-]+\.test\.ts/g));

test.runIf(budget('RECIPE_TESTS') > 0)(
  'the tests that the recipes name pass, with the pages and the recording that their commands write',
  { tags: 'long' },
  async () => {
    await inCopy('tools/docs.ts', []);
    const env = {
      RECORD: '1',
      TEST_DATABASE_URL: inject('postgresUrl'),
      TEST_REDIS_URL: inject('redisUrl'),
      CURFEW_TEST_LONG: undefined,
    };
    const files = ['tools/docs.test.ts', ...NAMED].slice(0, budget('RECIPE_TESTS'));
    const failed = await inCopy(
      'node_modules/vitest/vitest.mjs',
      ['run', '--maxWorkers=1', ...files],
      env,
    ).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
    expect(failed).toBe('');
  },
);
