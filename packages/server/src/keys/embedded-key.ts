import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { writeDurably } from '../store/durable-files.ts';

/** Returns the embedded database's own key, if there is one. */
export function readEmbeddedKey({ database }: Config): string | null {
  if (database.kind !== 'embedded') return null;
  const file = fileIn(database.directory);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}

/** Returns it, and makes it if there is none, so that signing keys are never stored in the clear. Null for PostgreSQL. */
export function embeddedKey(config: Config): string | null {
  const { database } = config;
  if (database.kind !== 'embedded') return null;
  const known = readEmbeddedKey(config);
  if (known !== null) return known;
  mkdirSync(database.directory, { recursive: true, mode: 0o700 });
  const key = randomBytes(32).toString('base64');
  writeDurably(fileIn(database.directory), `${key}\n`);
  return key;
}

/** Beside the data, so that a copy has both. */
const fileIn = (directory: string): string => join(directory, 'curfew.key');
