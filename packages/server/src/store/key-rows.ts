import type { SigningAlgorithm } from '@curfew/protocol/claims';
import { type Queryable, statement } from './statement.ts';

/** A signing key in the database; `private_key` is PKCS #8, sealed if CURFEW_KEY is set. */
export interface KeyRow {
  kid: string;
  alg: SigningAlgorithm;
  public_jwk: Record<string, unknown>;
  private_key: Buffer;
  sealed: boolean;
  created_at: Date;
  signs_from: Date;
}

const COLUMNS = `kid, alg, public_jwk, private_key, sealed, created_at, signs_from`;

const allKeys = statement<[], KeyRow>(
  'signing_keys',
  `select ${COLUMNS} from signing_keys order by signs_from`,
  'check',
);

export function readKeys(on: Queryable): Promise<KeyRow[]> {
  return allKeys.run(on);
}

const insert = statement<
  [
    kid: string,
    alg: string,
    jwk: string,
    key: Buffer,
    sealed: boolean,
    now: Date,
    signsFrom: Date,
    first: boolean,
  ],
  { kid: string }
>(
  'insert_signing_key',
  `insert into signing_keys (${COLUMNS})
   select $1, $2, $3::text::jsonb, $4, $5, $6, $7
   where not $8 or not exists (select 1 from signing_keys where alg = $2)
   returning kid`,
);

const lockKeys = statement<[], never>('lock_signing_keys', `select pg_advisory_xact_lock(7236401579)`);

/** Stores a key. With `onlyFirst`, only if its algorithm has none: of nodes that start together one creates it. */
export async function insertKey(on: Queryable, key: KeyRow, onlyFirst: boolean): Promise<boolean> {
  const rows = await insert.run(
    on,
    key.kid,
    key.alg,
    JSON.stringify(key.public_jwk),
    key.private_key,
    key.sealed,
    key.created_at,
    key.signs_from,
    onlyFirst,
  );
  return rows.length > 0;
}

/** Keeps other writers of keys out until the transaction ends. */
export async function lockSigningKeys(on: Queryable): Promise<void> {
  await lockKeys.run(on);
}

const remove = statement<[kids: string[]], never>(
  'delete_signing_keys',
  `delete from signing_keys where kid = any($1::text[])`,
);

export async function deleteKeys(on: Queryable, kids: string[]): Promise<void> {
  await remove.run(on, kids);
}
