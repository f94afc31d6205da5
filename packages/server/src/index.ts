export { type Authority, type AuthorityOptions, createAuthority } from './authority.ts';
export type { Connection } from './http/environment.ts';
export { ConfigError } from './config.ts';
export { DirectoryInUse } from './store/embedded.ts';
export { SchemaMismatch } from './store/migrate.ts';
export { OpenDirectory } from './store/private-directory.ts';
export { WrongKey } from './keys/seal.ts';
