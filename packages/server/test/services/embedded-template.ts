import { join } from 'node:path';
import { openEmbedded } from '../../src/store/embedded.ts';
import { migrate } from '../../src/store/migrate.ts';
import { makeScratch } from './scratch.ts';

/** Makes the directory that all others of the run are copied from. */
export async function makeEmbeddedTemplate(): Promise<string> {
  const directory = join(makeScratch('template'), 'data');
  const database = await openEmbedded(directory);
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
  return directory;
}
