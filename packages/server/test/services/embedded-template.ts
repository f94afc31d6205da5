import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { migrate } from '../../src/store/migrate.ts';
import { makeScratch, scratchRoot } from './scratch.ts';
import { openQuickly } from './open-embedded.ts';

const MIGRATIONS = new URL('../../db/migrations/', import.meta.url);
const MAKERS = ['../../src/store/embedded.ts', '../../src/store/migrate.ts'];
/** A week without use. */
const KEPT_MS = 7 * 24 * 3_600_000;

/**
 * The directory that all others of the run are copied from. Making it takes eight seconds of processor time, so it is kept for
 * later runs, under a name that changes with everything that it is made of.
 */
export async function makeEmbeddedTemplate(): Promise<string> {
  const kept = join(scratchRoot(), `embedded-${hashOfMakers()}`);
  if (existsSync(kept)) {
    utimesSync(kept, new Date(), new Date());
    return kept;
  }
  removeUnused();
  const directory = join(makeScratch('template'), 'data');
  const database = await openQuickly(directory);
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
  try {
    renameSync(directory, kept);
  } catch (error) {
    // Another run was quicker; its directory is as good.
    if (!existsSync(kept)) throw error;
  }
  return kept;
}

/** Each takes 40 MB, and every change of its inputs creates another one. */
function removeUnused(): void {
  const root = scratchRoot();
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    if (name.startsWith('embedded-') && Date.now() - statSync(path).mtimeMs > KEPT_MS)
      rmSync(path, { recursive: true, force: true });
  }
}

function hashOfMakers(): string {
  const engine = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const files = [
    ...readdirSync(MIGRATIONS)
      .sort()
      .map((name) => new URL(name, MIGRATIONS)),
    ...MAKERS.map((name) => new URL(name, import.meta.url)),
    join(engine, '..', '..', 'package.json'),
  ];
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
