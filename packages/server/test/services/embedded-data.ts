/**
 * Data directories of the embedded database with the schema in it. Making one takes five seconds of processor time,
 * copying it a fraction of one. What the first start itself does is tested in cli/serve.test.ts.
 */
import { constants, cpSync } from 'node:fs';
import { inject } from 'vitest';
// Tells the compiler what the run provides.
import type {} from './global-setup.ts';
import { makeFileScratch } from './scratch.ts';

/** A data directory of one's own: migrated and empty. It is there until the test file is over. */
export function freshData(kind: string): string {
  const directory = makeFileScratch(kind);
  cpSync(inject('embeddedData'), directory, { recursive: true, mode: constants.COPYFILE_FICLONE });
  return directory;
}
