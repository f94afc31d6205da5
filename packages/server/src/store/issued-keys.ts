import type { ApiKey, KeyScope } from '../domain/api-key.ts';
import type { Act } from './act.ts';
import { append } from './log/append.ts';
import { type Queryable, statement } from './statement.ts';

/** An API key as the administration sees it. */
export interface ApiKeyRecord {
  id: number;
  client_id: string | null;
  name: string;
  scopes: KeyScope[];
  created_at: Date;
  created_by: string;
  expires_at: Date | null;
  last_used_at: Date | null;
  revoked_at: Date | null;
  revoked_by: string | null;
}

const COLUMNS = `id, client_id, name, scopes, created_at, created_by, expires_at, last_used_at, revoked_at, revoked_by`;
const LIVE = `revoked_at is null and (expires_at is null or expires_at > $1)`;

const live = statement<
  [now: Date],
  Pick<ApiKeyRecord, 'id' | 'client_id' | 'name' | 'scopes' | 'expires_at'> & { hash: Buffer }
>(
  'live_api_keys',
  `select hash, id, client_id, name, scopes, expires_at from api_keys where ${LIVE}
   and not exists (select from clients c where c.id = api_keys.client_id and c.disabled_at is not null)`,
  'check',
);

/** Every key that is neither revoked nor expired, and whose client is not disabled, by its hash in hexadecimal. */
export async function readLiveKeys(on: Queryable, now: Date): Promise<Map<string, ApiKey>> {
  const rows = await live.run(on, now);
  return new Map(
    rows.map(({ hash, client_id: clientId, expires_at: expiresAt, ...row }) => [
      hash.toString('hex'),
      { ...row, clientId, expiresAt },
    ]),
  );
}

const page = statement<[before: number | null, limit: number, now: Date, revoked: boolean], ApiKeyRecord>(
  'page_of_api_keys',
  `select ${COLUMNS} from api_keys
   where ($1::bigint is null or id < $1) and ($4 or revoked_at is null and (expires_at is null or expires_at > $3))
   order by id desc limit $2`,
);

/** Keys, newest first. @param dead also those that are revoked or expired */
export function pageOfKeys(
  on: Queryable,
  { before, dead }: { before: number | null; dead: boolean },
  limit: number,
  now: Date,
): Promise<ApiKeyRecord[]> {
  return page.run(on, before, limit, now, dead);
}

const insert = statement<
  [
    clientId: string | null,
    name: string,
    hash: Buffer,
    scopes: readonly string[],
    now: Date,
    actor: string,
    expiresAt: Date | null,
  ],
  ApiKeyRecord
>(
  'insert_api_key',
  // The client is locked: of a key and a deletion at the same time, the deletion revokes the key, or the key finds no client.
  `with client as (select id from clients where id = $1 and deleted_at is null for share)
   insert into api_keys (client_id, name, hash, scopes, created_at, created_by, expires_at)
   select $1::text, $2, $3, $4::text[], $5, $6, $7 where $1::text is null or exists (select from client)
   returning ${COLUMNS}`,
);

interface NewApiKey {
  clientId: string | null;
  name: string;
  scopes: readonly KeyScope[];
  expiresAt: Date | null;
}

/** Null when there is no such client. */
export async function insertApiKey(
  on: Queryable,
  { clientId, name, scopes, expiresAt }: NewApiKey,
  hash: Buffer,
  now: Date,
  actor: string,
): Promise<ApiKeyRecord | null> {
  return (await insert.run(on, clientId, name, hash, scopes, now, actor, expiresAt))[0] ?? null;
}

const revoke = statement<[id: number, now: Date, actor: string], ApiKeyRecord>(
  'revoke_api_key',
  `update api_keys set revoked_at = $2, revoked_by = $3 where id = $1 and revoked_at is null returning ${COLUMNS}`,
);

/** Revokes a key. Null when there is none, or it is revoked already. */
export async function revokeApiKey(
  on: Queryable,
  id: number,
  now: Date,
  actor: string,
): Promise<ApiKeyRecord | null> {
  return (await revoke.run(on, id, now, actor))[0] ?? null;
}

/** Logs that a key was revoked. @returns the position of the event */
export function appendKeyRevoked(on: Queryable, key: ApiKeyRecord, act: Act): Promise<number> {
  const { id, name, client_id: clientId } = key;
  const details = { key_id: id, name };
  return append(on, { type: 'api_key_revoked', userId: null, clientId, details }, act);
}

const ofClient = statement<[clientId: string, now: Date, actor: string], ApiKeyRecord>(
  'revoke_api_keys_of_client',
  `update api_keys set revoked_at = $2, revoked_by = $3 where client_id = $1 and revoked_at is null returning ${COLUMNS}`,
);

/** Revokes every key of a client. */
export function revokeApiKeysOf(
  on: Queryable,
  clientId: string,
  now: Date,
  actor: string,
): Promise<ApiKeyRecord[]> {
  return ofClient.run(on, clientId, now, actor);
}

const byId = statement<[id: number], ApiKeyRecord>(
  'api_key_by_id',
  `select ${COLUMNS} from api_keys where id = $1`,
);

export async function findApiKey(on: Queryable, id: number): Promise<ApiKeyRecord | null> {
  return (await byId.run(on, id))[0] ?? null;
}

const lockAdminKeys = statement<[], never>('lock_admin_keys', `select pg_advisory_xact_lock(7236401583)`);

const lastAdminKey = statement<[now: Date, id: number], { last: boolean }>(
  'is_last_admin_key',
  `select exists (select from api_keys where id = $2 and 'admin' = any(scopes) and ${LIVE})
     and not exists (select from api_keys where id <> $2 and 'admin' = any(scopes) and ${LIVE}) as last`,
);

/** Whether no other live key has the scope `admin`. Concurrent revocations wait until the transaction ends. */
export async function isLastAdminKey(on: Queryable, id: number, now: Date): Promise<boolean> {
  await lockAdminKeys.run(on);
  return (await lastAdminKey.run(on, now, id))[0]?.last ?? false;
}

const markUsed = statement<[ids: number[], at: Date[]], never>(
  'mark_api_keys_used',
  `update api_keys k set last_used_at = u.at from unnest($1::bigint[], $2::timestamptz[]) as u (id, at)
   where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)`,
);

/** Stores when keys were used. */
export async function saveKeyUse(on: Queryable, used: readonly { id: number; at: Date }[]): Promise<void> {
  await markUsed.run(
    on,
    used.map(({ id }) => id),
    used.map(({ at }) => at),
  );
}
