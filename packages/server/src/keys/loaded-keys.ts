import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { SigningAlgorithm } from '@curfew/protocol/claims';
import { type CryptoKey, importJWK, importPKCS8, type JWK } from 'jose';
import { publishedKeys } from '../domain/signing-keys.ts';
import type { Database } from '../store/database.ts';
import { type KeyRow, readKeys } from '../store/key-rows.ts';
import type { System } from '../system/system.ts';
import { decryptKeyByAny, WrongKey } from './encrypted-key.ts';

export interface LoadedKey {
  kid: string;
  alg: SigningAlgorithm;
  createdAt: Date;
  signsFrom: Date;
  jwk: JWK;
  publicKey: CryptoKey;
  privateKey: CryptoKey;
}

/** An unknown key id may be another node's newest, so load again, but not for every forged token. */
const RELOAD_AT_MOST_EVERY_MS = 1000;

interface LoadOptions {
  database: Database;
  system: System;
  encryptionKey: string | null;
  previousKey?: string | null;
  keepSeconds: () => number;
}

/** The signing keys of the database, in memory. */
export class LoadedKeys {
  all: readonly LoadedKey[] = [];
  #loadedAtMs = Number.NEGATIVE_INFINITY;
  readonly #options: LoadOptions;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const { database, system, encryptionKey, previousKey = null } = this.#options;
    const secrets = [encryptionKey, previousKey].filter((secret) => secret !== null);
    this.#loadedAtMs = system.monotonicMs();
    const rows = await readKeys(database);
    const known = new Map(this.all.map((key) => [key.kid, key]));
    this.all = await Promise.all(rows.map(async (row) => known.get(row.kid) ?? openKey(row, secrets)));
  }

  published(): LoadedKey[] {
    return publishedKeys(this.all, this.#options.system.now(), this.#options.keepSeconds());
  }

  /** The published key with this id. */
  async find(kid: string): Promise<LoadedKey | undefined> {
    const find = (): LoadedKey | undefined => this.published().find((key) => key.kid === kid);
    const known = find();
    if (known || this.#options.system.monotonicMs() - this.#loadedAtMs <= RELOAD_AT_MOST_EVERY_MS)
      return known;
    await this.load();
    return find();
  }
}

async function openKey(row: KeyRow, secrets: readonly string[]): Promise<LoadedKey> {
  if (row.sealed && secrets.length === 0)
    throw new WrongKey(
      'the signing keys in the database are encrypted. Set CURFEW_KEY to the key that encrypted them',
    );
  const der = row.sealed ? decryptKeyByAny(row.private_key, secrets, row.kid) : row.private_key;
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const pem = key.export({ format: 'pem', type: 'pkcs8' }) as string;
  const publicJwk = createPublicKey(key).export({ format: 'jwk' }) as JWK;
  return {
    kid: row.kid,
    alg: row.alg,
    createdAt: row.created_at,
    signsFrom: row.signs_from,
    jwk: row.public_jwk as JWK,
    privateKey: await importPKCS8(pem, row.alg),
    publicKey: (await importJWK(publicJwk, row.alg)) as CryptoKey,
  };
}
