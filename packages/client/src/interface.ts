import type { SessionEnd } from '@curfew/protocol/notices';
import type { Logout } from '@curfew/protocol/wire/logout';
import type * as wire from '@curfew/protocol/wire/session';
import type { OwnSession } from '@curfew/protocol/wire/session';
import type { User } from '@curfew/protocol/wire/user';

/* What an application sees of the client. Data has the spelling that it has on the wire. */

export type { User };

export interface ClientOptions {
  /**
   * The authority's address, with the path it is under if there is one: `https://example.com/auth`. In a page a path is enough, and
   * the default is the page's origin. On a server it is needed.
   */
  authority?: string | undefined;
  /**
   * `cookie` (default in a page): the browser keeps the credential, and no script can read it. `bearer` (default on a server, which
   * has no cookies): the client keeps tokens.
   */
  mode?: 'cookie' | 'bearer' | undefined;
  /**
   * With `bearer`: where tokens lie. `memory` (default): in this page alone, gone when it is. `local`: in localStorage, for all
   * tabs and the next visit, where every script of the origin can read them. A server has none: there it is `memory`.
   */
  storage?: 'memory' | 'local' | undefined;
  /** The application, as CURFEW_CLIENTS names it. Default: `default`. */
  clientId?: string | undefined;
  /** Addresses beside the authority's to which `fetch` carries the credential: origins, or `https://example.com/api` and what is below. */
  origins?: readonly string[] | undefined;
  /** Whether to be told over a WebSocket, while somebody listens. Default: in a page. */
  notices?: boolean | undefined;
}

export interface Client {
  /** Logs in. Throws a {@link ProblemError} that says what was wrong. */
  login(credentials: Credentials): Promise<Session>;
  /**
   * Logs out, without options this session. Where it covers this session, it is over in this browser in any case, and
   * the answer says whether the server knows. Where it does not, or the server refuses, it throws.
   */
  logout(options?: LogoutOptions): Promise<LogoutResult>;
  /** Asks the server how this session stands; null when not logged in. Throws when it cannot be asked. */
  session(): Promise<Session | null>;
  /** My devices, newest first: all of them, up to a thousand and this one. */
  sessions(): Promise<SessionView[]>;
  /** A page of them: the first, or the one after another one's `next`. This session is on the first one. */
  sessionsPage(options?: { before?: string | null }): Promise<SessionsPage>;
  /**
   * As the global one; on a server, where that knows no page, a path is one of the authority's. Carries the credential to the
   * authority and to `origins`, and nowhere else; refreshes it once when needed and repeats the request.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Calls when this page's session is over, for whatever reason. @returns takes the listener off */
  onLoggedOut(listener: (why: LoggedOut) => void | Promise<void>): () => void;
  /** Calls when `sessions()` may answer something else than before. @returns takes the listener off */
  onSessionsChanged(listener: () => void): () => void;
  /** Why the last session was over; null while logged in, and where that is not known. */
  readonly endedBecause: LoggedOut | null;
  /** Lets go of everything: sockets, channels, timers. Logs nobody out. */
  close(): void;
}

export interface Credentials {
  email: string;
  password: string;
}

export interface LogoutOptions {
  scope?: 'this' | 'others' | 'all' | 'selected' | 'device' | undefined;
  /** With scope `selected`. */
  sessions?: string[] | undefined;
  /** With scope `device`; without it, this device. */
  device?: string | undefined;
}

/** What the server answered to a logout. */
export type Told = Omit<Logout, 'more'>;

/**
 * `local`: what lay in this browser is gone. `told` is kept when the server has been told, also after a reload. It is rejected
 * when this session is over and the others that were meant are not: the server refused, or had no session any more to ask with.
 */
export type LogoutResult =
  | ({ local: true; server: 'done' } & Told)
  | { local: true; server: 'pending'; told: Promise<Told> };

/** Who ended a session. `unknown`: nobody has said. */
export type EndedBy = SessionEnd['by'] | 'unknown';

export interface LoggedOut {
  /** As the server's log names it (`logout`, `idle_timeout`, …), or `unknown`. */
  reason: SessionEnd['reason'] | 'unknown';
  by: EndedBy;
  /** ISO 8601. */
  at: string;
  sessionId: string | null;
  /**
   * Where it came from: this page, another tab of this browser, word from the server, or found out later (the device
   * was asleep, or offline).
   */
  where: 'here' | 'another tab' | 'elsewhere' | 'found';
}

/** A session, and whose it is. */
export interface Session extends wire.Session {
  user: User;
}

export interface SessionsPage {
  sessions: SessionView[];
  /** From where to go on; null when there are no more. */
  next: string | null;
  /** How many there are in all. */
  total: number;
}

/** One of my devices; `current` is the one that asks. */
export type SessionView = OwnSession;
