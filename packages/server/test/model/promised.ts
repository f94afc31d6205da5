/**
 * The promises of the documents, as plain objects: who is logged in, until when, and the log's content. It shares no code with
 * the server and knows neither cuts nor positions nor copies: an ending marks each session that it covers. All instants are
 * milliseconds since 1970.
 */

export type Role = 'user' | 'admin';
/** The grant of a session, and so the kind of its credentials. */
export type Grant = 'bearer' | 'opaque' | 'session' | 'cookie';
type CredentialKind = 'jwt' | 'access' | 'session' | 'cookie';

const KIND_OF_GRANT: Record<Grant, CredentialKind> = {
  bearer: 'jwt',
  opaque: 'access',
  session: 'session',
  cookie: 'cookie',
};

/** Use is written back late, so a session is over by disuse so long after its idle end, where that is 20 s or more. */
export const IDLE_SLACK_MS = 12_000;

/** The lifetimes of an application, in seconds. */
export interface Lifetimes {
  idleSeconds: number;
  absoluteSeconds: number;
  accessTokenSeconds: number;
  opaqueAccessSeconds: number;
}

export interface User {
  id: number;
  email: string;
  name: string;
  password: string;
  role: Role;
  disabled: boolean;
  deleted: boolean;
}

export interface Session {
  sid: string;
  user: User;
  app: string;
  device: string;
  grant: Grant;
  idleEndsAt: number;
  endsAt: number;
  /** Set by an ending; an expiry sets nothing. */
  ended: { reason: string; by: string } | null;
}

export interface Credential {
  text: string;
  kind: CredentialKind;
  session: Session;
  expiresAt: number;
  /** The headers that a change with a cookie needs. */
  csrf: string | null;
}

export interface RefreshToken {
  text: string;
  session: Session;
  spent: { at: number; successor: RefreshToken; access: Credential } | null;
}

/** A row of the audit view. */
interface AuditRow {
  type: 'USER_LOGIN' | 'USER_LOGOUT';
  user: number | null;
  /** Null for a login. */
  reason: string | null;
}

/** Whom an ending is about. */
export type Target =
  | { scope: 'sessions'; sids: string[] }
  | { scope: 'user'; user: number }
  | { scope: 'others'; user: number; spared: string }
  | { scope: 'users'; users: number[] }
  | { scope: 'device'; user: number; device: string }
  | { scope: 'client'; app: string }
  | { scope: 'everyone' };

type RefreshVerdict =
  | { verdict: 'refused' }
  | { verdict: 'replayed' }
  | { verdict: 'rotated' }
  /** Within the grace: the same successor. */
  | { verdict: 'again'; successor: RefreshToken; access: Credential };

export class Reference {
  now: number;
  readonly users: User[] = [];
  /** In the order of their beginning. */
  readonly sessions: Session[] = [];
  readonly credentials: Credential[] = [];
  readonly refreshTokens: RefreshToken[] = [];
  readonly audit: AuditRow[] = [];
  readonly #apps: ReadonlyMap<string, Lifetimes>;
  readonly #graceMs: number;

  constructor(now: number, apps: ReadonlyMap<string, Lifetimes>, graceSeconds: number) {
    this.now = now;
    this.#apps = apps;
    this.#graceMs = graceSeconds * 1000;
  }

  isAlive(session: Session): boolean {
    return (
      session.ended === null && this.now < session.idleEndsAt + IDLE_SLACK_MS && this.now < session.endsAt
    );
  }

  /** Expired idle, and over for no other reason. */
  isIdle(session: Session): boolean {
    return (
      session.ended === null && this.now >= session.idleEndsAt + IDLE_SLACK_MS && this.now < session.endsAt
    );
  }

  liveSessions(user?: User): Session[] {
    return this.sessions.filter((one) => this.isAlive(one) && (user === undefined || one.user === user));
  }

  /** The session that a credential opens. @param use whether that is activity, which puts the idle end off */
  open(credential: Credential, use: boolean): Session | null {
    const { session } = credential;
    if (this.now >= credential.expiresAt || !this.isAlive(session)) return null;
    if (use) this.#use(session);
    return session;
  }

  #use(session: Session): void {
    const { idleSeconds } = this.#life(session.app);
    session.idleEndsAt = Math.min(session.endsAt, this.now + idleSeconds * 1000);
  }

  mayLogIn(user: User, password: string): boolean {
    return this.mayHaveSessions(user) && user.password === password;
  }

  mayHaveSessions(user: User): boolean {
    return !user.disabled && !user.deleted;
  }

  begin(facts: { sid: string; user: User; app: string; device: string; grant: Grant }): Session {
    const endsAt = this.now + this.#life(facts.app).absoluteSeconds * 1000;
    const session: Session = { ...facts, idleEndsAt: endsAt, endsAt, ended: null };
    this.#use(session);
    this.sessions.push(session);
    this.audit.push({ type: 'USER_LOGIN', user: facts.user.id, reason: null });
    return session;
  }

  /** A credential that has just been issued. None outlives its session. */
  issue(session: Session, text: string, csrf: string | null = null): Credential {
    const { accessTokenSeconds, opaqueAccessSeconds } = this.#life(session.app);
    const kind = KIND_OF_GRANT[session.grant];
    const seconds = {
      jwt: accessTokenSeconds,
      access: opaqueAccessSeconds,
      session: Infinity,
      cookie: Infinity,
    };
    const expiresAt = Math.min(session.endsAt, this.now + seconds[kind] * 1000);
    const credential = { text, kind, session, csrf, expiresAt };
    this.credentials.push(credential);
    return credential;
  }

  issueRefresh(session: Session, text: string): RefreshToken {
    const token: RefreshToken = { text, session, spent: null };
    this.refreshTokens.push(token);
    return token;
  }

  /** The value of a refresh token now. A replay ends its session here; `rotate` records a rotation. */
  judgeRefresh(token: RefreshToken): RefreshVerdict {
    if (!this.isAlive(token.session)) return { verdict: 'refused' };
    if (!token.spent) return { verdict: 'rotated' };
    const { at, successor, access } = token.spent;
    if (this.now <= at + this.#graceMs) return { verdict: 'again', successor, access };
    this.end({ scope: 'sessions', sids: [token.session.sid] }, 'refresh_replay', 'system');
    return { verdict: 'replayed' };
  }

  rotate(token: RefreshToken, accessText: string, refreshText: string): Credential {
    this.#use(token.session);
    const access = this.issue(token.session, accessText);
    const successor = this.issueRefresh(token.session, refreshText);
    token.spent = { at: this.now, successor, access };
    return access;
  }

  /**
   * Ends the sessions that the target names, and returns them. Expired ones are over already and stay so. Naming only dead
   * sessions is no ending; every other target is one, even without sessions.
   * @param idle the sessions that expired idle and are to be ended all the same
   */
  end(target: Target, reason: string, by: string, idle: readonly Session[] = []): Session[] {
    const ended = this.sessions.filter(
      (one) => (this.isAlive(one) || idle.includes(one)) && isMeant(target, one),
    );
    for (const session of ended) session.ended = { reason, by };
    for (const user of usersOf(target, ended)) this.audit.push({ type: 'USER_LOGOUT', user, reason });
    return ended;
  }

  /** Changes a user as an administrator does; returns the sessions that it ended. `self`: the caller's session. */
  change(
    user: User,
    change: { name: string; role: Role | null; disabled: boolean | null },
    self: Session | null,
    by: string,
  ): Session[] {
    const isDisabled = change.disabled === true && !user.disabled;
    const hasNewRole = change.role !== null && change.role !== user.role;
    user.name = change.name;
    user.disabled = change.disabled ?? user.disabled;
    user.role = change.role ?? user.role;
    if (isDisabled) return this.end({ scope: 'user', user: user.id }, 'user_disabled', by);
    return hasNewRole ? this.#endOthers(user, self, 'role_changed', by) : [];
  }

  delete(user: User, by: string): Session[] {
    user.deleted = true;
    return this.end({ scope: 'user', user: user.id }, 'user_deleted', by);
  }

  setPassword(user: User, password: string, self: Session | null, reason: string, by: string): Session[] {
    user.password = password;
    return this.#endOthers(user, self, reason, by);
  }

  /** All of the user, except the caller's session where it is the user's own. */
  #endOthers(user: User, self: Session | null, reason: string, by: string): Session[] {
    const target: Target =
      self?.user === user
        ? { scope: 'others', user: user.id, spared: self.sid }
        : { scope: 'user', user: user.id };
    return this.end(target, reason, by);
  }

  #life(app: string): Lifetimes {
    const life = this.#apps.get(app);
    if (!life) throw new Error(`the reference knows no application ${app}`);
    return life;
  }
}

function isMeant(target: Target, session: Session): boolean {
  switch (target.scope) {
    case 'sessions':
      return target.sids.includes(session.sid);
    case 'user':
      return session.user.id === target.user;
    case 'others':
      return session.user.id === target.user && session.sid !== target.spared;
    case 'users':
      return target.users.includes(session.user.id);
    case 'device':
      return session.user.id === target.user && session.device === target.device;
    case 'client':
      return session.app === target.app;
    case 'everyone':
      return true;
  }
}

/** The users whose row the audit view gets, in ascending order; null is a row without a user. */
function usersOf(target: Target, ended: Session[]): (number | null)[] {
  switch (target.scope) {
    case 'sessions':
      return [...new Set(ended.map((one) => one.user.id))].toSorted((a, b) => a - b);
    case 'user':
    case 'others':
    case 'device':
      return [target.user];
    case 'users':
      return [...new Set(target.users)].toSorted((a, b) => a - b);
    case 'client':
    case 'everyone':
      return [null];
  }
}
