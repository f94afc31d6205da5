import type { SessionEnd } from '@curfew/protocol/notices';
import type { Logout } from '@curfew/protocol/wire/logout';
import type * as wire from '@curfew/protocol/wire/session';
import type { OwnSession } from '@curfew/protocol/wire/session';
import type { User } from '@curfew/protocol/wire/user';

/* The types of the public API. Data is spelt as on the wire. */

export type { OwnSession, User };

/** The options of `createClient`. */
export interface ClientOptions {
  /**
   * The authority's address, with its path if it has one: `https://example.com/auth`. In a page a path is enough, and the default is
   * the page's origin. Required on a server.
   */
  authority?: string | undefined;
  /**
   * `cookie` (default in a page): the browser keeps the credential, and no script can read it. `bearer` (default on a server): the
   * client keeps tokens.
   */
  mode?: 'cookie' | 'bearer' | undefined;
  /**
   * Where `bearer` keeps tokens. `memory` (default): in this page, until it closes. `local`: in localStorage, for all tabs and the
   * next visit, where every script of the origin can read them. On a server always `memory`.
   */
  storage?: 'memory' | 'local' | undefined;
  /** The application, by its id. Default: `default`. */
  clientId?: string | undefined;
  /** Other addresses that `fetch` sends the credential to: an origin, or `https://example.com/api` and every path below. Default: none. */
  origins?: readonly string[] | undefined;
  /** Opens a WebSocket for notices while there are listeners. Default: true in a page, false on a server. */
  notices?: boolean | undefined;
}

/** A client of one authority. When that cannot be reached, every method but a logout of this session rejects with the `TypeError` of `fetch`. */
export interface Client {
  /**
   * Logs in, and resolves to the new session.
   * @throws ProblemError when the authority refuses: `invalid_credentials`, `rate_limited`, …
   */
  login(credentials: Credentials): Promise<CurrentSession>;
  /**
   * Logs out: this session, or those of `scope`. If this session is one of them, it is over in this browser even when the server
   * cannot be reached, and the result says so.
   * @throws ProblemError when the server refuses; nothing has changed then
   */
  logout(options?: LogoutOptions): Promise<LogoutResult>;
  /** Asks the server for this session; null when not logged in. */
  session(): Promise<CurrentSession | null>;
  /** Lists the user's sessions, newest first: up to 1,000, and this one. */
  sessions(): Promise<OwnSession[]>;
  /** Lists one page of the user's sessions: the first, which holds this session, or the one that begins at `before`, an earlier page's `next`. */
  sessionsPage(options?: { before?: string | null }): Promise<SessionsPage>;
  /**
   * Works like the global `fetch`, and sends the credential to the authority and to `origins`, nowhere else. A token that has
   * expired or is refused is refreshed once, and the request repeated. On a server a path is one of the authority's.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /**
   * Adds a listener that runs when this page's session ends, for any reason. `logout` waits for the promise that it returns.
   * @returns a function that removes it
   */
  onLoggedOut(listener: (why: LoggedOut) => void | Promise<void>): () => void;
  /**
   * Adds a listener that runs when `sessions()` may have changed.
   * @returns a function that removes it
   */
  onSessionsChanged(listener: () => void): () => void;
  /** Why the last session ended; null while logged in, and where it is not known. */
  readonly endedBecause: LoggedOut | null;
  /** Closes sockets, channels and timers. The session stays logged in. */
  close(): void;
}

/** The input of a login. */
export interface Credentials {
  /** The user's e-mail address. */
  email: string;
  /** The user's password. */
  password: string;
}

/** The options of a logout. */
export interface LogoutOptions {
  /** The sessions to end: `this` one (default), the `others`, `all`, the `selected` ones, or those of a `device`. */
  scope?: 'this' | 'others' | 'all' | 'selected' | 'device' | undefined;
  /** The ids of the sessions, with scope `selected`. */
  sessions?: string[] | undefined;
  /** The id of the device, with scope `device`. Default: this device. */
  device?: string | undefined;
}

/** The server's answer to a logout. */
export type LogoutAnswer = Omit<Logout, 'more'>;

/**
 * The result of a logout: in this browser it is done (`local`). `pending`: the server could not be reached; it is told as soon as
 * it can be, also after a reload, and `sent` resolves then. `sent` rejects when the server ended this session but not the others.
 */
export type LogoutResult =
  | ({ local: true; server: 'done' } & LogoutAnswer)
  | { local: true; server: 'pending'; sent: Promise<LogoutAnswer> };

/** How this page's session ended. */
export interface LoggedOut {
  /** The reason in the server's log (`logout`, `idle_timeout`, …), or `unknown`. */
  reason: SessionEnd['reason'] | 'unknown';
  /** Who ended it; `unknown` when the server did not say. */
  by: SessionEnd['by'] | 'unknown';
  /** When it ended, in ISO 8601. */
  at: string;
  /** The id of the session; null when it is not known. */
  sessionId: string | null;
  /**
   * Where it was ended: `here` in this page, in `another tab` of this browser, or `elsewhere`, by a notice of the server. `found`:
   * this page learnt it later, because the device was asleep or offline.
   */
  where: 'here' | 'another tab' | 'elsewhere' | 'found';
}

/** A session and its user. */
export interface CurrentSession extends wire.Session {
  /** The user who logged in. */
  user: User;
}

/** A page of the user's sessions. */
export interface SessionsPage {
  /** The sessions, newest first. */
  sessions: OwnSession[];
  /** The `before` of the next page; null on the last one. */
  next: string | null;
  /** The number of sessions on all pages. */
  total: number;
}
