import type { Authority, AuthorityOptions } from './authority.ts';
import { nodeFault } from './system/node-version.ts';

export type { Authority, AuthorityOptions } from './authority.ts';
export type { Connection } from './http/connection.ts';
export { ConfigError } from './config.ts';
export { DirectoryInUse, OpenDirectory, SchemaMismatch } from './store/open-errors.ts';
export { WrongKey } from './keys/encrypted-key.ts';

/**
 * Starts an authority: opens the database, migrates it, loads the keys and registers the node.
 * @throws ConfigError for an invalid setting; DirectoryInUse or OpenDirectory for the embedded database's directory;
 * SchemaMismatch for a database of a newer version; WrongKey for another `CURFEW_KEY`; otherwise the database's own error
 * @example
 * import { createServer } from 'node:http';
 * import { createAuthority } from '@curfew/server';
 *
 * const authority = await createAuthority({ databaseUrl: 'postgres://localhost/curfew', basePath: '/sessions' });
 * const server = createServer({ maxHeaderSize: authority.config.maxHeaderBytes }, authority.listener);
 * server.on('upgrade', authority.upgrade);
 * server.listen(8000, '127.0.0.1');
 */
export async function createAuthority(options: AuthorityOptions = {}): Promise<Authority> {
  const fault = nodeFault(process.versions.node);
  if (fault !== null) {
    const error = new Error(fault);
    // The frames would hide the sentence.
    error.stack = fault;
    throw error;
  }
  // After the version check: an older Node fails on the imports, with a less helpful message.
  const { createAuthority: start } = await import('./authority.ts');
  return start(options);
}
