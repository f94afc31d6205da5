/**
 * Data directories of the embedded database with the schema in it. Creating one takes five seconds of processor time, copying it
 * a fraction of one. cli/serve.test.ts tests the first start itself.
 */
import { constants, cpSync } from 'node:fs';
import { inject } from 'vitest';
// Declares what the run provides.
import type {} from './global-setup.ts';
import { makeFileScratch } from './scratch.ts';

/** A separate data directory: migrated and empty. It exists until the test file ends. */
export function freshData(kind: string): string {
  const directory = makeFileScratch(kind);
  cpSync(inject('embeddedData'), directory, { recursive: true, mode: constants.COPYFILE_FICLONE });
  return directory;
}
