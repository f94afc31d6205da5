import type { LoggedEvent } from '@curfew/protocol/wire/event';
import type { Logout, LogoutPreview } from '@curfew/protocol/wire/logout';
import type { UserSession } from '@curfew/protocol/wire/session';
import type { SigningKey } from '@curfew/protocol/wire/signing-key';
import type { Account } from '@curfew/protocol/wire/user';
import type { Role } from '../domain/session.ts';
import type { AdminTarget } from '../actions/end-sessions.ts';
import type { Wait } from '../actions/settle.ts';

/*
 * What the commands work with, written once for both ways: on the database itself, and through a running server. The
 * shapes are those of the HTTP API, so that --json prints the same whichever way was taken.
 */

export const LAST_ADMINISTRATOR =
  'this is the last administrator. Nothing was changed; to go ahead, repeat with --last-administrator.';

interface NewAccount {
  email: string;
  name: string;
  role: Role;
  workspace: string;
  password: string | null;
}

interface SessionFilter {
  userId: number | null;
  clientId: string | null;
  before: string | null;
  ended: boolean;
}

export interface Operator {
  users(filter: {
    query: string | null;
    after: number;
    limit: number;
  }): Promise<{ users: Account[]; next: number | null }>;
  userById(id: number): Promise<Account | null>;
  userByEmail(email: string): Promise<Account | null>;
  /** Null when the address is taken. @throws Refused when the password is too short */
  addUser(user: NewAccount): Promise<Account | null>;
  /** @throws Refused when nobody would be left to administer, and that is not confirmed */
  changeUser(
    id: number,
    change: { role: Role } | { disabled: boolean },
    confirmsLast: boolean,
  ): Promise<Account | null>;
  /** @throws Refused as above */
  deleteUser(id: number, confirmsLast: boolean): Promise<boolean>;
  /** False when there is no such user. @throws Refused when the password is too short */
  setPassword(id: number, password: string): Promise<boolean>;
  sessions(filter: SessionFilter, limit: number): Promise<{ sessions: UserSession[]; next: string | null }>;
  /** Ends sessions; `everyone` only with the count confirmed. */
  end(
    target: AdminTarget,
    how: { confirm: number | null; wait: Wait; note?: string | undefined },
  ): Promise<LogoutOutcome>;
  /** What `end` would end. Ends nothing. */
  preview(target: AdminTarget): Promise<LogoutPreview>;
  /**
   * Watches the rows of what was just ended being marked, where this process does it. False where the server does.
   */
  watchMarking(target: AdminTarget, onLeft: (left: number) => void): Promise<boolean>;
  /** The newest events of the log, newest first. */
  newestEvents(limit: number): Promise<LoggedEvent[]>;
  /**
   * What comes into the log after a cursor, or, without one, from now on. None is left out, however late it is committed; some
   * may come again. Goes on until it is stopped, or the server ends it.
   */
  follow(cursor: string | null, stop: AbortSignal): AsyncIterable<Followed>;
  keys(): Promise<SigningKey[]>;
  rotateKeys(): Promise<SigningKey[]>;
  close(): Promise<void>;
}

/** From where to go on, and the event that it came with. It comes by itself at the beginning and now and then. */
interface Followed {
  cursor: string;
  event: LoggedEvent | null;
}

type LogoutOutcome =
  | { outcome: 'ended'; result: Logout }
  | { outcome: 'confirmation_required'; count: number };
