import type { ExternalId, Role, UserFacts } from '../domain/session.ts';
import { composed } from '../domain/email-address.ts';
import { type Queryable, statement } from './statement.ts';

/** A user as the administration sees it. */
export interface UserRecord {
  id: number;
  email: string;
  name: string;
  role: Role;
  workspace: string;
  created_at: Date;
  disabled_at: Date | null;
  profile_version: number;
  external_issuer: string | null;
  external_id: string | null;
}

/** The columns of a user for the administration. */
export const USER_COLUMNS: string = `id, email, name, role, workspace, created_at, disabled_at, profile_version, external_issuer,
  external_id`;

/** The columns of a user that a session shows. */
export type UserColumns = Pick<
  UserRecord,
  'email' | 'name' | 'role' | 'workspace' | 'profile_version' | 'external_issuer' | 'external_id'
>;

/** The user of a session, from the columns of a row. */
export const userFacts = (id: number, user: UserColumns): UserFacts => ({
  id,
  email: user.email,
  name: user.name,
  role: user.role,
  workspace: user.workspace,
  profileVersion: user.profile_version,
  external:
    user.external_issuer === null || user.external_id === null
      ? null
      : { issuer: user.external_issuer, id: user.external_id },
});

/** The exact spelling first: older accounts may differ in case or composition only. */
const credentials = statement<
  [email: string, composed: string],
  { id: number; password_hash: string | null; credential_version: number; disabled_at: Date | null }
>(
  'credentials_of_email',
  `select id, password_hash, credential_version, disabled_at from users
   where lower(email collate "C") in (lower($1 collate "C"), lower($2 collate "C")) and deleted_at is null
   order by lower(email collate "C") = lower($1 collate "C") desc limit 1`,
);

/** The account for a login; null when there is none. */
export async function findCredentials(
  on: Queryable,
  email: string,
): Promise<{ id: number; passwordHash: string | null; credentialVersion: number; disabled: boolean } | null> {
  const [row] = await credentials.run(on, email, composed(email));
  if (!row) return null;
  return {
    id: row.id,
    passwordHash: row.password_hash,
    credentialVersion: row.credential_version,
    disabled: row.disabled_at !== null,
  };
}

const passwordOf = statement<[id: number], { password_hash: string | null; credential_version: number }>(
  'password_of_user',
  `select password_hash, credential_version from users where id = $1 and deleted_at is null`,
);

/** The password hash of a logged-in user, to verify the password again. */
export async function findPassword(
  on: Queryable,
  userId: number,
): Promise<{ passwordHash: string | null; credentialVersion: number } | null> {
  const [row] = await passwordOf.run(on, userId);
  return row ? { passwordHash: row.password_hash, credentialVersion: row.credential_version } : null;
}

const replaceHash = statement<[id: number, before: string, hash: string], never>(
  'replace_password_hash',
  `update users set password_hash = $3 where id = $1 and password_hash = $2`,
);

/** Stores the same password under another hash: nothing else changes, and no session ends. */
export async function replacePasswordHash(
  on: Queryable,
  userId: number,
  before: string,
  hash: string,
): Promise<void> {
  await replaceHash.run(on, userId, before, hash);
}

const spelledApart = statement<[], { id: number }>(
  'users_spelled_apart',
  `select id from users where deleted_at is null and email is not nfc normalized order by id limit 1000`,
);

/** Accounts whose address is another account's in the composed spelling, at most 1,000: they are older than this rule. */
export async function findSpelledApart(on: Queryable): Promise<number[]> {
  return (await spelledApart.run(on)).map((row) => row.id);
}

/** The users that a client's API keys reach: of its issuers, created by its keys, or with a session of its own, ended or not. */
export interface UsersOfClient {
  clientId: string;
  issuers: readonly string[];
}
const isWithin = (user: string, client: string, issuers: string): string =>
  `(${client}::text is null or ${user}.created_by_client = ${client} or ${user}.external_issuer = any(${issuers}::text[])
    or exists (select from user_sessions s where s.user_id = ${user}.id and s.client_id = ${client}))`;

const insert = statement<
  [
    email: string,
    name: string,
    passwordHash: string | null,
    role: string,
    workspace: string,
    now: Date,
    externalIssuer: string | null,
    externalId: string | null,
    createdByClient: string | null,
  ],
  UserRecord
>(
  'insert_user',
  `insert into users (email, name, password_hash, role, workspace, created_at, external_issuer, external_id,
     created_by_client)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ${USER_COLUMNS}`,
);

export interface NewUser {
  email: string;
  name: string;
  passwordHash: string | null;
  role: Role;
  workspace: string;
  external?: ExternalId | null;
  /** The client whose API key creates the account. */
  createdByClient?: string | null;
}

/** @throws a unique violation when the address or the external id is taken */
export async function insertUser(on: Queryable, user: NewUser, now: Date): Promise<UserRecord> {
  const [row] = await insert.run(
    on,
    user.email,
    user.name,
    user.passwordHash,
    user.role,
    user.workspace,
    now,
    user.external?.issuer ?? null,
    user.external?.id ?? null,
    user.createdByClient ?? null,
  );
  if (!row) throw new Error('the user was not inserted');
  return row;
}

const byId = statement<[id: number, clientId: string | null, issuers: readonly string[]], UserRecord>(
  'user_by_id',
  `select ${USER_COLUMNS} from users u where id = $1 and deleted_at is null and ${isWithin('u', '$2', '$3')}`,
);

/** @param within whose users are looked at; null: everybody's */
export async function findUser(
  on: Queryable,
  id: number,
  within: UsersOfClient | null = null,
): Promise<UserRecord | null> {
  return (await byId.run(on, id, within?.clientId ?? null, within?.issuers ?? []))[0] ?? null;
}

const byExternalId = statement<[issuer: string, externalId: string], UserRecord>(
  'user_by_external_id',
  `select ${USER_COLUMNS} from users where external_issuer = $1 and external_id = $2 and deleted_at is null`,
);

/** The user that another system knows by an id. */
export async function findUserOf(on: Queryable, { issuer, id }: ExternalId): Promise<UserRecord | null> {
  return (await byExternalId.run(on, issuer, id))[0] ?? null;
}

const page = statement<[after: number, limit: number], UserRecord>(
  'page_of_users',
  `select ${USER_COLUMNS} from users where deleted_at is null and id > $1 order by id limit $2`,
);

/** Users by id, from the one after `after`. */
export function pageOfUsers(on: Queryable, after: number, limit: number): Promise<UserRecord[]> {
  return page.run(on, after, limit);
}

const update = statement<
  [
    id: number,
    name: string | null,
    role: string | null,
    workspace: string | null,
    disabled: boolean | null,
    now: Date,
    passwordHash: string | null,
    ifVersion: number | null,
    changesExternal: boolean,
    externalIssuer: string | null,
    externalId: string | null,
    clientId: string | null,
    issuers: readonly string[],
  ],
  UserRecord & { role_before: Role; disabled_before: boolean }
>(
  'update_user',
  `with before as (select id, role, disabled_at from users own
     where id = $1 and deleted_at is null and ${isWithin('own', '$12', '$13')} for no key update of own)
   update users u set
     name = coalesce($2, u.name), role = coalesce($3, u.role), workspace = coalesce($4, u.workspace),
     disabled_at = case when $5::boolean is null then u.disabled_at when $5 then coalesce(u.disabled_at, $6::timestamptz) else null end,
     password_hash = coalesce($7::text, u.password_hash),
     credential_version = u.credential_version + case when $7::text is null then 0 else 1 end,
     external_issuer = case when $9 then $10 else u.external_issuer end,
     external_id = case when $9 then $11 else u.external_id end,
     profile_version = u.profile_version + 1
   from before where u.id = before.id and ($8::bigint is null or u.credential_version = $8)
   returning u.id, u.email, u.name, u.role, u.workspace, u.created_at, u.disabled_at, u.profile_version,
     u.external_issuer, u.external_id, before.role as role_before, before.disabled_at is not null as disabled_before`,
);

export interface UserChange {
  name?: string | undefined;
  role?: Role | undefined;
  workspace?: string | undefined;
  disabled?: boolean | undefined;
  passwordHash?: string | undefined;
  /** Null removes it. */
  external?: ExternalId | null | undefined;
  /** The change is made only while this is the credential version. */
  ifCredentialVersion?: number | undefined;
}

/** Changes a user and locks the row to the end of the transaction; null when there is none, or the version has changed. @param within as for `findUser` */
export async function updateUser(
  on: Queryable,
  id: number,
  change: UserChange,
  now: Date,
  within: UsersOfClient | null,
): Promise<(UserRecord & { role_before: Role; disabled_before: boolean }) | null> {
  const rows = await update.run(
    on,
    id,
    change.name ?? null,
    change.role ?? null,
    change.workspace ?? null,
    change.disabled ?? null,
    now,
    change.passwordHash ?? null,
    change.ifCredentialVersion ?? null,
    change.external !== undefined,
    change.external?.issuer ?? null,
    change.external?.id ?? null,
    within?.clientId ?? null,
    within?.issuers ?? [],
  );
  return rows[0] ?? null;
}

const remove = statement<[id: number, now: Date], { role: Role }>(
  'delete_user',
  `update users set deleted_at = $2, email = 'deleted:' || id, name = '', workspace = '', password_hash = null,
     external_issuer = null, external_id = null,
     credential_version = credential_version + 1, profile_version = profile_version + 1
   where id = $1 and deleted_at is null returning role`,
);

/** Deletes a person: the row stays without name, address and password. Null when there is none. */
export async function eraseUser(on: Queryable, id: number, now: Date): Promise<{ role: Role } | null> {
  return (await remove.run(on, id, now))[0] ?? null;
}

const lockAdmins = statement<[], never>('lock_administrators', `select pg_advisory_xact_lock(7236401581)`);

const lastAdmin = statement<[id: number], { last: boolean }>(
  'is_last_administrator',
  `select exists (select 1 from users where id = $1 and role = 'admin' and disabled_at is null and deleted_at is null)
     and not exists (select 1 from users where id <> $1 and role = 'admin' and disabled_at is null and deleted_at is null)
     as last`,
);

/**
 * Whether there is no other administrator. Concurrent removals wait until the transaction ends: of two administrators who remove
 * each other, the second finds that it is the last.
 */
export async function isLastAdministrator(on: Queryable, id: number): Promise<boolean> {
  await lockAdmins.run(on);
  return (await lastAdmin.run(on, id))[0]?.last ?? false;
}

const any = statement<[], { any: boolean }>('any_user', `select exists (select 1 from users) as any`);

/** Whether the database has any user, deleted ones included. */
export async function hasUsers(on: Queryable): Promise<boolean> {
  return (await any.run(on))[0]?.any ?? false;
}
