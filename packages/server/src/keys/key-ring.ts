import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { canonicalKeyId, claimsNotYetVerified } from '@curfew/protocol/access-token';
import type { AccessTokenClaims, SigningAlgorithm } from '@curfew/protocol/claims';
import type { SigningKey } from '@curfew/protocol/wire/signing-key';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { signingKey } from '../domain/signing-keys.ts';
import type { Database } from '../store/database.ts';
import { deleteKeys, insertKey, type KeyRow, lockSigningKeys } from '../store/key-rows.ts';
import type { Act } from '../store/act.ts';
import { append } from '../store/log/append.ts';
import type { System } from '../system/system.ts';
import { signAccessToken, verifyAccessToken } from './sign-access-token.ts';
import { encryptKey } from './encrypted-key.ts';
import { LoadedKeys, type LoadedKey } from './loaded-keys.ts';

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

/** @throws WrongKey when the database's keys were sealed under another CURFEW_KEY */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { database, system } = options;
  const keys = new LoadedKeys(options);
  const keyViews = (): SigningKey[] => keys.all.map((key) => keyView(keys, key, system.now()));

  async function provide(algorithms: readonly SigningAlgorithm[]): Promise<void> {
    await keys.load();
    for (const alg of algorithms) {
      if (keys.all.some((key) => key.alg === alg)) continue;
      // The first key needs no publication before it signs. Of nodes that start together one makes it, and the others wait.
      const first = await makeKey(options, alg, system.now());
      await database.transaction(async (on) => {
        await lockSigningKeys(on);
        await insertKey(on, first, true);
      });
      await keys.load();
    }
  }
  await provide(options.algorithms());

  async function rotate(act: Act, algorithms: SigningAlgorithm[]): Promise<void> {
    await insertSuccessors(options, act, algorithms);
    await keys.load();
  }

  async function verifyAt(text: string, now: Date): Promise<AccessTokenClaims | 'expired' | null> {
    const kid = canonicalKeyId(text);
    const key = kid === null ? undefined : await keys.find(kid);
    if (!key) return null;
    const judged = await verifyAccessToken(text, key, { issuer: options.issuer, now });
    if (judged.ok) return judged.claims;
    return judged.wrong === 'expired' ? 'expired' : null;
  }

  return {
    async sign(claims, algorithm) {
      const find = () => signingKey(keys.all, algorithm, system.now());
      // Another node may have made the first one.
      const key = find() ?? (await keys.load().then(find));
      if (!key) throw new Error(`no signing key for ${algorithm}`);
      return signAccessToken(claims, key);
    },
    verify: (text) => verifyAt(text, system.now()),
    async verifyPast(text) {
      const issuedAt = claimsNotYetVerified(text)?.iat;
      const claims = issuedAt === undefined ? null : await verifyAt(text, new Date(issuedAt * 1000));
      return claims === 'expired' ? null : claims;
    },
    publish: () => ({ keys: keys.published().map((key) => key.jwk) }),
    list: keyViews,
    provide,
    async rotate(act) {
      await rotate(act, options.algorithms());
      return keyViews();
    },
    async refresh() {
      await keys.load();
      const retired = keys.all.filter((key) => !keys.published().includes(key)).map((key) => key.kid);
      if (retired.length > 0) await deleteKeys(database, retired);
      const due = dueForRotation(keys.all, options, system.now());
      const by = { actor: 'system', contract: 'v1', ipAddress: null, userAgent: '', requestId: null };
      if (due.length > 0) await rotate({ at: system.now(), ...by }, due);
    },
  };
}

function keyView(keys: LoadedKeys, key: LoadedKey, now: Date): SigningKey {
  const state =
    key.signsFrom > now
      ? 'published'
      : signingKey(keys.all, key.alg, now) === key
        ? 'signing'
        : keys.published().includes(key)
          ? 'kept'
          : 'retired';
  return {
    kid: key.kid,
    alg: key.alg,
    created_at: key.createdAt.toISOString(),
    signs_from: key.signsFrom.toISOString(),
    state,
  };
}

/** The algorithms in use whose newest key is too old. */
function dueForRotation(
  keys: readonly LoadedKey[],
  { algorithms, rotationDays }: KeyRingOptions,
  now: Date,
): SigningAlgorithm[] {
  if (rotationDays === 0) return [];
  const oldest = new Date(now.getTime() - rotationDays * 86_400_000);
  return algorithms().filter((alg) => keys.every((key) => key.alg !== alg || key.createdAt < oldest));
}

/** Stores a new key for each of the algorithms, which signs after its publication. */
async function insertSuccessors(
  options: KeyRingOptions,
  act: Act,
  algorithms: SigningAlgorithm[],
): Promise<void> {
  const signsFrom = new Date(act.at.getTime() + options.publishSeconds * 1000);
  const made = await Promise.all(algorithms.map((alg) => makeKey(options, alg, signsFrom)));
  const details = { kids: made.map((key) => key.kid) };
  await options.database.transaction(async (on) => {
    await lockSigningKeys(on);
    for (const key of made) await insertKey(on, key, false);
    await append(on, { type: 'keys_rotated', userId: null, details }, act);
  });
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
