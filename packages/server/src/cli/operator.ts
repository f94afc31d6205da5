import type { ApiKeyChange, ApiKeyView } from '@curfew/protocol/wire/api-key';
import type { ClientChange, ClientView } from '@curfew/protocol/wire/client';
import type { LoggedEvent } from '@curfew/protocol/wire/event';
import type { Logout, LogoutPreview } from '@curfew/protocol/wire/logout';
import type { UserSession } from '@curfew/protocol/wire/session';
import type { SigningKey } from '@curfew/protocol/wire/signing-key';
import type { Account } from '@curfew/protocol/wire/user';
import type { WantedKey } from '../actions/create-key.ts';
import type { ExternalId } from '../domain/session.ts';
import type { Role } from '../domain/session.ts';
import type { AdminTarget } from '../actions/end-sessions.ts';
import type { WaitFor } from '../actions/settle.ts';

/*
 * The operations of commands, with two implementations: on the database itself, and through a running server. The shapes are
 * those of the HTTP API, so that --json prints the same either way.
 */

export const LAST_ADMINISTRATOR =
  'nothing was changed: this is the last administrator. To continue, repeat with --last-administrator.';

export const LAST_ADMIN_KEY =
  'nothing was changed: this is the last key with the scope admin. To continue, repeat with --last-admin-key.';

interface NewAccount {
  email: string;
  name: string;
  role: Role;
  workspace: string;
  password: string | null;
}

interface SessionQuery {
  userId: number | null;
  clientId: string | null;
  before: string | null;
  ended: boolean;
}

/** A change of a client; `change` has the members of the API's body. */
export interface ClientAct {
  does: 'create' | 'update' | 'delete';
  clientId: string;
  change: Record<string, unknown>;
}

export interface Operator {
  clients(): Promise<ClientView[]>;
  /** @throws CommandRefused when it cannot be done */
  changeClient(
    act: ClientAct,
    how: { confirm: number | null; note: string | undefined },
  ): Promise<{ outcome: 'done'; result: ClientChange } | { outcome: 'confirmation_required'; count: number }>;
  users(filter: {
    query: string | null;
    /** Only the user whom another system knows by this id. */
    external: ExternalId | null;
    after: number;
    limit: number;
  }): Promise<{ users: Account[]; next: number | null }>;
  userById(id: number): Promise<Account | null>;
  userByEmail(email: string): Promise<Account | null>;
  /** Null when the address is taken. @throws CommandRefused when the password is too short */
  addUser(user: NewAccount): Promise<Account | null>;
  /** @throws CommandRefused when no administrator would be left, and that is not confirmed */
  changeUser(
    id: number,
    change: { role: Role } | { disabled: boolean },
    confirmsLast: boolean,
  ): Promise<Account | null>;
  /** @throws CommandRefused as above */
  deleteUser(id: number, confirmsLast: boolean): Promise<boolean>;
  /** False when there is no such user. @throws CommandRefused when the password is too short */
  setPassword(id: number, password: string): Promise<boolean>;
  sessions(filter: SessionQuery, limit: number): Promise<{ sessions: UserSession[]; next: string | null }>;
  /** Ends sessions; `everyone` only with the confirmed count. */
  end(
    target: AdminTarget,
    how: { confirm: number | null; wait: WaitFor; note?: string | undefined },
  ): Promise<LogoutOutcome>;
  /** Previews `end`. Ends nothing. */
  preview(target: AdminTarget): Promise<LogoutPreview>;
  /** Watches the rows of an ending being marked, where this process does it. False where the server does. */
  watchMarking(target: AdminTarget, onLeft: (left: number) => void): Promise<boolean>;
  /** The newest events of the log, newest first. */
  newestEvents(limit: number): Promise<LoggedEvent[]>;
  /**
   * Events after a cursor, or from now on. None is left out, however late it commits; some may come twice. Runs until it is
   * aborted, or the server ends it.
   */
  follow(cursor: string | null, stop: AbortSignal): AsyncIterable<Followed>;
  /** API keys, newest first. @param filter.revoked also those that are revoked or expired */
  apiKeys(
    filter: { revoked: boolean; before: number | null },
    limit: number,
  ): Promise<{ keys: ApiKeyView[]; next: number | null }>;
  /** @throws CommandRefused for an unknown application, or scopes that it may not have */
  createApiKey(key: WantedKey): Promise<ApiKeyChange & { secret: string }>;
  /** Null when there is no such key. @throws CommandRefused when it is the last one with the scope admin, and that is not confirmed */
  revokeApiKey(id: number, confirmsLast: boolean, note: string | undefined): Promise<ApiKeyChange | null>;
  keys(): Promise<SigningKey[]>;
  rotateKeys(): Promise<SigningKey[]>;
  close(): Promise<void>;
}

/** A cursor to continue from, and its event. Cursors also come alone, at the beginning and periodically. */
interface Followed {
  cursor: string;
  event: LoggedEvent | null;
}

type LogoutOutcome =
  | { outcome: 'ended'; result: Logout }
  | { outcome: 'confirmation_required'; count: number };

/** The operations on users. */
export type UserOperations = Pick<
  Operator,
  'users' | 'userById' | 'userByEmail' | 'addUser' | 'changeUser' | 'deleteUser' | 'setPassword'
>;
