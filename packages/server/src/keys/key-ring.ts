import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { canonicalKeyId, claimsNotYetVerified } from '@curfew/protocol/access-token';
import type { AccessTokenClaims, SigningAlgorithm } from '@curfew/protocol/claims';
import type { SigningKey } from '@curfew/protocol/wire/signing-key';
import { calculateJwkThumbprint, type CryptoKey, importJWK, importPKCS8, type JWK } from 'jose';
import { publishedKeys, signingKey } from '../domain/signing-keys.ts';
import type { Database } from '../store/database.ts';
import { deleteKeys, insertKey, type KeyRow, lockSigningKeys, readKeys } from '../store/key-rows.ts';
import type { Act } from '../store/act.ts';
import { append } from '../store/log/append.ts';
import type { System } from '../system/system.ts';
import { signAccessToken, verifyAccessToken } from './sign-access-token.ts';
import { encryptKey, decryptKeyByAny, WrongKey } from './encrypted-key.ts';

interface LoadedKey {
  kid: string;
  alg: SigningAlgorithm;
  createdAt: Date;
  signsFrom: Date;
  jwk: JWK;
  publicKey: CryptoKey;
  privateKey: CryptoKey;
}

/** The signing keys, sealed in the database and loaded here; the same on every node. */
export interface KeyRing {
  sign(claims: AccessTokenClaims, algorithm: SigningAlgorithm): Promise<string>;
  /** Verifies a token of this authority and returns its claims; `expired` for one that has expired. */
  verify(text: string): Promise<AccessTokenClaims | 'expired' | null>;
  /** Verifies a token of this authority, expired or not, and returns its claims. For saying why it is refused, not for accepting it. */
  verifyPast(text: string): Promise<AccessTokenClaims | null>;
  /** The public key set, RFC 7517. */
  publish(): { keys: JWK[] };
  list(): SigningKey[];
  /** Creates the first key of each of these algorithms that has none. */
  provide(algorithms: readonly SigningAlgorithm[]): Promise<void>;
  /** Creates a new key for each algorithm in use; it is published now and signs later. */
  rotate(act: Act): Promise<SigningKey[]>;
  /** Loads the keys of other nodes, rotates old ones, and deletes those retired long ago. */
  refresh(): Promise<void>;
}

interface KeyRingOptions {
  database: Database;
  system: System;
  encryptionKey: string | null;
  /** Earlier keys, which open but never seal. */
  previousKey?: string | null;
  issuer: string;
  /** Those in use. */
  algorithms: () => SigningAlgorithm[];
  rotationDays: number;
  publishSeconds: number;
  /** Longer than any access token lives. */
  keepSeconds: () => number;
}

/** An unknown key id may be another node's newest, so load again, but not for every forged token. */
const RELOAD_AT_MOST_EVERY_MS = 1000;

/** @throws WrongKey when the database's keys were sealed under another CURFEW_KEY */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { database, system } = options;
  const secrets = [options.encryptionKey, options.previousKey ?? null].filter((secret) => secret !== null);
  let keys: LoadedKey[] = [];
  let loadedAtMs = Number.NEGATIVE_INFINITY;

  async function load(): Promise<void> {
    loadedAtMs = system.monotonicMs();
    const rows = await readKeys(database);
    const known = new Map(keys.map((key) => [key.kid, key]));
    keys = await Promise.all(rows.map(async (row) => known.get(row.kid) ?? openKey(row, secrets)));
  }

  const keep = (): LoadedKey[] => publishedKeys(keys, system.now(), options.keepSeconds());

  async function rotate(act: Act, algorithms: SigningAlgorithm[]): Promise<void> {
    const signsFrom = new Date(act.at.getTime() + options.publishSeconds * 1000);
    const made = await Promise.all(algorithms.map((alg) => makeKey(options, alg, signsFrom)));
    await database.transaction(async (on) => {
      await lockSigningKeys(on);
      for (const key of made) await insertKey(on, key, false);
      await append(
        on,
        { type: 'keys_rotated', userId: null, details: { kids: made.map((key) => key.kid) } },
        act,
      );
    });
    await load();
  }

  async function provide(algorithms: readonly SigningAlgorithm[]): Promise<void> {
    await load();
    for (const alg of algorithms) {
      if (keys.some((key) => key.alg === alg)) continue;
      // The first key needs no publication before it signs. Of nodes that start together one makes it, and the others wait.
      const first = await makeKey(options, alg, system.now());
      await database.transaction(async (on) => {
        await lockSigningKeys(on);
        await insertKey(on, first, true);
      });
      await load();
    }
  }
  await provide(options.algorithms());

  const summarize = (key: LoadedKey): SigningKey => {
    const now = system.now();
    const state =
      key.signsFrom > now
        ? 'published'
        : signingKey(keys, key.alg, now) === key
          ? 'signing'
          : keep().includes(key)
            ? 'kept'
            : 'retired';
    return {
      kid: key.kid,
      alg: key.alg,
      created_at: key.createdAt.toISOString(),
      signs_from: key.signsFrom.toISOString(),
      state,
    };
  };

  async function verifyAt(text: string, now: Date): Promise<AccessTokenClaims | 'expired' | null> {
    const kid = canonicalKeyId(text);
    if (kid === null) return null;
    const find = (): LoadedKey | undefined => keep().find((key) => key.kid === kid);
    let key = find();
    if (!key && system.monotonicMs() - loadedAtMs > RELOAD_AT_MOST_EVERY_MS) {
      await load();
      key = find();
    }
    if (!key) return null;
    const judged = await verifyAccessToken(text, key, { issuer: options.issuer, now });
    if (judged.ok) return judged.claims;
    return judged.wrong === 'expired' ? 'expired' : null;
  }

  return {
    async sign(claims, algorithm) {
      const find = () => signingKey(keys, algorithm, system.now());
      // Another node may have made the first one.
      const key = find() ?? (await load().then(find));
      if (!key) throw new Error(`no signing key for ${algorithm}`);
      return signAccessToken(claims, key);
    },
    verify: (text) => verifyAt(text, system.now()),
    async verifyPast(text) {
      const issuedAt = claimsNotYetVerified(text)?.iat;
      const claims = issuedAt === undefined ? null : await verifyAt(text, new Date(issuedAt * 1000));
      return claims === 'expired' ? null : claims;
    },
    publish: () => ({ keys: keep().map((key) => key.jwk) }),
    list: () => keys.map(summarize),
    provide,
    async rotate(act) {
      await rotate(act, options.algorithms());
      return keys.map(summarize);
    },
    async refresh() {
      await load();
      const now = system.now();
      const retired = keys.filter((key) => !keep().includes(key)).map((key) => key.kid);
      if (retired.length > 0) await deleteKeys(database, retired);
      if (options.rotationDays === 0) return;
      const oldest = new Date(now.getTime() - options.rotationDays * 86_400_000);
      const due = options
        .algorithms()
        .filter((alg) => keys.every((key) => key.alg !== alg || key.createdAt < oldest));
      if (due.length > 0)
        await rotate(
          { at: now, actor: 'system', contract: 'v1', ipAddress: null, userAgent: '', requestId: null },
          due,
        );
    },
  };
}

async function makeKey(
  { encryptionKey, system }: KeyRingOptions,
  alg: SigningAlgorithm,
  signsFrom: Date,
): Promise<KeyRow> {
  const pair = generateKeyPair(alg);
  const jwk = pair.publicKey.export({ format: 'jwk' }) as JWK;
  const kid = await calculateJwkThumbprint(jwk);
  const pkcs8 = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
  const sealed = encryptionKey !== null;
  return {
    kid,
    alg,
    public_jwk: { ...jwk, kid, alg, use: 'sig' },
    private_key: sealed ? encryptKey(pkcs8, encryptionKey ?? '', kid, system.randomBytes) : pkcs8,
    sealed,
    created_at: system.now(),
    signs_from: signsFrom,
  };
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

function generateKeyPair(alg: SigningAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (alg) {
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
  }
}
