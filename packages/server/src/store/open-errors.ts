/* Why a database cannot be opened. In a file of their own: their types must not bring the drivers' types to users of the package. */

/**
 * Another process has the data directory of the embedded database open.
 * @example
 * import { createAuthority, DirectoryInUse } from '@curfew/server';
 *
 * await createAuthority().catch((error: unknown) => {
 *   if (error instanceof DirectoryInUse) console.error('one process for each directory');
 *   throw error;
 * });
 */
export class DirectoryInUse extends Error {
  override name = 'DirectoryInUse';
}

/**
 * Other users of the machine can read the data directory of the embedded database, or own it.
 * @example
 * import { createAuthority, OpenDirectory } from '@curfew/server';
 *
 * await createAuthority().catch((error: unknown) => {
 *   if (error instanceof OpenDirectory) console.error(`chmod it to 0700: ${error.message}`);
 *   throw error;
 * });
 */
export class OpenDirectory extends Error {
  override name = 'OpenDirectory';
}

/**
 * The database was migrated by a newer version, or by migrations that this version does not have.
 * @example
 * import { createAuthority, SchemaMismatch } from '@curfew/server';
 *
 * await createAuthority().catch((error: unknown) => {
 *   if (error instanceof SchemaMismatch) console.error('install the newer version');
 *   throw error;
 * });
 */
export class SchemaMismatch extends Error {
  override name = 'SchemaMismatch';
}
