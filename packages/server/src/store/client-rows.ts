import type { SigningAlgorithm } from '@curfew/protocol/claims';
import type { ClientRecord, ClientTerms, GrantType } from '../domain/client-terms.ts';
import { type Queryable, statement } from './statement.ts';

interface ClientRow {
  id: string;
  name: string;
  audience: string | null;
  algorithm: SigningAlgorithm;
  idle_seconds: number | null;
  absolute_seconds: number | null;
  access_token_seconds: number | null;
  opaque_access_seconds: number | null;
  grant_types: GrantType[];
  external_issuers: string[];
  created_at: Date;
  disabled_at: Date | null;
}

const COLUMNS = `id, name, audience, algorithm, idle_seconds, absolute_seconds, access_token_seconds, opaque_access_seconds,
  grant_types, external_issuers, created_at, disabled_at`;

const recordOf = (row: ClientRow): ClientRecord => ({
  clientId: row.id,
  name: row.name,
  audience: row.audience,
  algorithm: row.algorithm,
  idleSeconds: row.idle_seconds,
  absoluteSeconds: row.absolute_seconds,
  accessTokenSeconds: row.access_token_seconds,
  opaqueAccessSeconds: row.opaque_access_seconds,
  grantTypes: row.grant_types,
  externalIssuers: row.external_issuers,
  createdAt: row.created_at,
  disabledAt: row.disabled_at,
});

const everyClient = statement<[], ClientRow & { deleted: boolean }>(
  'every_client',
  `select ${COLUMNS}, deleted_at is not null as deleted from clients order by id`,
);

/** Every client, and the ids of the deleted ones. */
export async function readClients(on: Queryable): Promise<{ clients: ClientRecord[]; deleted: Set<string> }> {
  const rows = await everyClient.run(on);
  return {
    clients: rows.filter((row) => !row.deleted).map(recordOf),
    deleted: new Set(rows.filter((row) => row.deleted).map((row) => row.id)),
  };
}

type TermValues = [
  id: string,
  name: string,
  audience: string | null,
  algorithm: string,
  idleSeconds: number | null,
  absoluteSeconds: number | null,
  accessTokenSeconds: number | null,
  opaqueAccessSeconds: number | null,
  grantTypes: readonly string[],
  externalIssuers: readonly string[],
];

const valuesOf = (clientId: string, terms: ClientTerms): TermValues => [
  clientId,
  terms.name,
  terms.audience,
  terms.algorithm,
  terms.idleSeconds,
  terms.absoluteSeconds,
  terms.accessTokenSeconds,
  terms.opaqueAccessSeconds,
  terms.grantTypes,
  terms.externalIssuers,
];

const insert = statement<[...TermValues, now: Date], ClientRow>(
  'insert_client',
  `insert into clients (id, name, audience, algorithm, idle_seconds, absolute_seconds, access_token_seconds,
     opaque_access_seconds, grant_types, external_issuers, created_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text[], $10::text[], $11) on conflict (id) do nothing returning ${COLUMNS}`,
);

/** Creates a client; null when there is one of that id, or was. */
export async function insertClient(
  on: Queryable,
  clientId: string,
  terms: ClientTerms,
  now: Date,
): Promise<ClientRecord | null> {
  const [row] = await insert.run(on, ...valuesOf(clientId, terms), now);
  return row ? recordOf(row) : null;
}

const lock = statement<[id: string], ClientRow>(
  'lock_client',
  `select ${COLUMNS} from clients where id = $1 and deleted_at is null for update`,
);

/**
 * Reads a client and locks it to the end of the transaction: a login with it comes wholly before or wholly after the change, see
 * insert-session.ts. Null when there is none.
 */
export async function lockClient(on: Queryable, clientId: string): Promise<ClientRecord | null> {
  const [row] = await lock.run(on, clientId);
  return row ? recordOf(row) : null;
}

const update = statement<[...TermValues, disabledAt: Date | null], ClientRow>(
  'update_client',
  `update clients set name = $2, audience = $3, algorithm = $4, idle_seconds = $5, absolute_seconds = $6,
     access_token_seconds = $7, opaque_access_seconds = $8, grant_types = $9::text[],
     external_issuers = $10::text[], disabled_at = $11
   where id = $1 returning ${COLUMNS}`,
);

/** Writes a locked client. */
export async function updateClient(on: Queryable, record: ClientRecord): Promise<ClientRecord> {
  const [row] = await update.run(on, ...valuesOf(record.clientId, record), record.disabledAt);
  if (!row) throw new Error('the client was not locked');
  return recordOf(row);
}

const remove = statement<[id: string, now: Date], never>(
  'delete_client',
  `update clients set deleted_at = $2 where id = $1`,
);

/** Deletes a locked client. Its row stays: the id is never reused, and the setting does not create it again. */
export async function deleteClient(on: Queryable, clientId: string, now: Date): Promise<void> {
  await remove.run(on, clientId, now);
}
