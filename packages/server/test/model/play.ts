/** Plays commands on the nodes and on the reference, and compares the answers. */
import { expect } from 'vitest';
import { type Answer, type CallOptions, cookieOf, SERVICE_KEY } from '../support.ts';
import {
  type AdminLogout,
  type By,
  type Changed,
  type Choice,
  type Command,
  type Login,
  type OwnLogout,
  USERS,
} from './commands.ts';
import { checkCredentials, checkEveryCredential, checkQuietly } from './look.ts';
import {
  type Credential,
  type Grant,
  IDLE_SLACK_MS,
  Reference,
  type RefreshToken,
  type Role,
  type Session,
  type Target,
  type User,
} from './promised.ts';
import { CLIENTS, GRACE_SECONDS, type Stage } from './stage.ts';

type Of<Do extends Command['do']> = Extract<Command, { do: Do }>;

/** The body of an answer that issues tokens, in any family; `/v1` names the session as well. */
interface Issued {
  access_token?: string;
  refresh_token?: string;
  session_token?: string;
  csrf_token?: string;
  expires_in?: number;
  session?: SessionBody;
  cookie?: { value: string };
}
interface SessionBody {
  id: string;
  user_id: number;
  client_id: string;
  device_id: string;
  expires_at: string;
  idle_expires_at: string;
}

/** The expected result of a request: refused with a status, or admitted; a service key has no session. */
type Caller = { status: 401 | 403 } | { status: 200; session: Session | null; by: string };

const LOGIN_PATHS: Record<Login, string> = {
  v1: '/v1/login',
  'v1-cookie': '/v1/login',
  '001': '/auth/login',
  '002': '/api/auth/login',
  '003': '/api/v1/auth/login',
  '004': '/auth/login',
};
const LOGIN_GRANTS: Record<Login, Grant> = {
  v1: 'bearer',
  'v1-cookie': 'cookie',
  '001': 'bearer',
  '002': 'session',
  '003': 'opaque',
  '004': 'cookie',
};
const LOGIN_APPS = { '001': 'envelope', '002': 'session-id', '003': 'token', '004': 'cookie' } as const;
const REFRESH_PATHS = { v1: '/v1/refresh', '001': '/auth/refresh', '003': '/api/v1/auth/refresh' } as const;

/** More sessions than a logout marks at once; its count is then a least count. */
const CROWD = 101;
const MARKED_AT_ONCE = 100;

/** The part of the family's body that others have at the top. */
const issuedOf = (answer: Answer): Issued => (answer.json['data'] ?? answer.json) as Issued;

export class Play {
  readonly stage: Stage;
  readonly reference: Reference;
  /** Events of this play have positions above it. */
  readonly startPosition: number;
  /** How often a command was answered with which status. */
  readonly tally = new Map<string, number>();
  #passwords = 0;
  #names = 0;
  #at = 0;

  /** A new play: its own users, no sessions. */
  static async begin(stage: Stage): Promise<Play> {
    await stage.clear();
    const reference = new Reference(stage.now(), new Map(Object.entries(CLIENTS)), GRACE_SECONDS);
    for (let i = 0; i < USERS; i++) {
      const role: Role = i < 2 ? 'admin' : 'user';
      const { id, email } = await stage.place.user(role);
      reference.users.push({
        id,
        email,
        name: '',
        password: 'secret',
        role,
        disabled: false,
        deleted: false,
      });
    }
    const [row] = await stage.place.rows<{ top: number }>(
      'select coalesce(max(position), 0) as top from events',
    );
    return new Play(stage, reference, row?.top ?? 0);
  }

  private constructor(stage: Stage, reference: Reference, startPosition: number) {
    this.stage = stage;
    this.reference = reference;
    this.startPosition = startPosition;
  }

  async run(command: Command): Promise<void> {
    this.#at = command.at;
    switch (command.do) {
      case 'log in':
        return this.#logIn(command);
      case 'vouch':
        return this.#vouch(command);
      case 'crowd':
        return this.#crowd(command);
      case 'refresh':
        return this.#refresh(command);
      case 'log out':
        return this.#logOut(command);
      case 'log out as administrator':
        return this.#endAsAdministrator(command.by, command.forged, command.target);
      case 'change user':
        return this.#changeUser(command);
      case 'delete user':
        return this.#deleteUser(command);
      case 'reset password':
        return this.#resetPassword(command);
      case 'change password':
        return this.#changePassword(command);
      case 'wait':
        return this.#wait(command);
      case 'edge':
        return this.#edge(command);
      case 'look':
        return checkEveryCredential(this.stage, this.reference, command.dice);
    }
  }

  /** Asks the node whose turn it is. @param status the expected status, or several */
  async #call(
    method: string,
    path: string,
    options: CallOptions,
    ...status: [number, ...number[]]
  ): Promise<Answer> {
    const answer: Answer = await this.stage.node(this.#at).call(method, path, options);
    this.#count(`${method} ${path.replaceAll(/\/\d[^/?]*|\?.*/g, '…')} ${answer.status}`);
    expect(status, `${method} ${path}: ${answer.text}`).toContain(answer.status);
    return answer;
  }

  async #logIn(command: Of<'log in'>): Promise<void> {
    const { reference } = this;
    const user = this.#user(command.user);
    const grant = LOGIN_GRANTS[command.as];
    const own = command.as === 'v1' || command.as === 'v1-cookie';
    const password = command.wrong ? 'mistaken' : user.password;
    const body = {
      [command.as === '002' ? 'username' : 'email']: user.email,
      password,
      ...(grant === 'cookie' ? { transport: 'cookie' } : {}),
      ...(own ? { client_id: command.app } : {}),
      ...(own && command.device !== null ? { device: { id: command.device } } : {}),
    };
    // A browser that had a session in its cookie brings it along.
    const earlier = command.earlier && this.#credential(command.earlier, 'cookie');
    const good = reference.mayLogIn(user, password);
    const answer = await this.#call(
      'POST',
      LOGIN_PATHS[command.as],
      { body, ...(earlier ? { cookie: earlier.text } : {}) },
      good ? 200 : 401,
    );
    if (!good) return;
    const app = own ? command.app : LOGIN_APPS[command.as as keyof typeof LOGIN_APPS];
    const issued = issuedOf(answer);
    const cookie = grant === 'cookie' ? cookieOf(answer) : undefined;
    await this.#begun(issued, cookie, { user, app, device: own ? command.device : null, grant });
    // It is ended by a login that sets a cookie in its place; a login for tokens leaves it.
    const replaced = earlier && grant === 'cookie' ? reference.open(earlier, false) : null;
    if (replaced)
      reference.end(
        { scope: 'sessions', sids: [replaced.sid] },
        'replaced_by_login',
        `user:${replaced.user.id}`,
      );
  }

  async #vouch({ user: nth, transport, app, device }: Of<'vouch'>): Promise<void> {
    const user = this.#user(nth);
    const body = {
      user_id: user.id,
      transport,
      client_id: app,
      ...(device === null ? {} : { device: { id: device } }),
    };
    const good = this.reference.mayHaveSessions(user);
    const answer = await this.#call(
      'POST',
      '/v1/admin/sessions',
      { bearer: SERVICE_KEY, body },
      good ? 200 : 404,
    );
    if (!good) return;
    const grant = transport === 'opaque' ? 'session' : transport;
    const issued = issuedOf(answer);
    await this.#begun(issued, issued.cookie?.value, { user, app, device, grant });
  }

  async #crowd({ user: nth, device, scope }: Of<'crowd'>): Promise<void> {
    const { reference } = this;
    const user = this.#user(nth);
    const body = { user_id: user.id, transport: 'opaque', device: { id: device }, count: CROWD };
    const good = this.reference.mayHaveSessions(user);
    const answer = await this.#call(
      'POST',
      '/v1/admin/sessions',
      { bearer: SERVICE_KEY, body },
      good ? 200 : 404,
    );
    if (!good) return;
    for (const issued of answer.json['sessions'] as Issued[])
      await this.#begun(issued, undefined, { user, app: 'default', device, grant: 'session' });
    if (scope === 'others') {
      const [spared] = reference.credentials.slice(-1);
      if (spared) await this.#logOutV1(spared, false, { via: 'v1', scope });
    } else {
      const targets: Record<typeof scope, AdminLogout> = {
        user: { scope: 'user', user: nth },
        users: { scope: 'users', users: [nth + 1, nth] },
        device: { scope: 'device', user: nth, device },
        client: { scope: 'client', app: 'default' },
        everyone: { scope: 'everyone', off: 0 },
      };
      await this.#endAsAdministrator('service', false, targets[scope]);
    }
    // At once: the rows may lag behind the answer.
    await checkCredentials(this.stage, reference, reference.credentials.slice(-5), nth);
  }

  /** Adds a new session to the reference, and compares the answer with it. */
  async #begun(
    issued: Issued,
    cookie: string | undefined,
    facts: { user: User; app: string; device: string | null; grant: Grant },
  ): Promise<void> {
    const { reference } = this;
    // Contract 002 calls it sessionToken.
    const named = (issued as { sessionToken?: string }).sessionToken;
    const text = issued.access_token ?? issued.session_token ?? named ?? cookie ?? '';
    const said = issued.session ?? (await this.#askSession(facts.grant, text));
    expect(
      reference.sessions.map((one) => one.sid),
      'a login never takes a session over',
    ).not.toContain(said.id);
    const device = facts.device ?? said.device_id;
    const session = reference.begin({ ...facts, device, sid: said.id });
    const credential = reference.issue(session, text, issued.csrf_token ?? null);
    if (issued.refresh_token !== undefined) reference.issueRefresh(session, issued.refresh_token);
    expect(said).toMatchObject({
      user_id: facts.user.id,
      client_id: facts.app,
      device_id: device,
      expires_at: new Date(session.endsAt).toISOString(),
      // Activity is shown to the minute, but never before the session began: of a new one, exactly.
      idle_expires_at: new Date(session.idleEndsAt).toISOString(),
    });
    this.#compareLife(issued, credential);
  }

  /** Asking for the session does not count as activity. */
  async #askSession(grant: Grant, text: string): Promise<SessionBody> {
    const options = grant === 'cookie' ? { cookie: text } : { bearer: text };
    return (await this.#call('GET', '/v1/session', options, 200)).json['session'] as SessionBody;
  }

  #compareLife(issued: Issued, credential: Credential): void {
    if (issued.expires_in !== undefined)
      expect(issued.expires_in, 'expires_in').toBe((credential.expiresAt - this.reference.now) / 1000);
  }

  /** Spends a refresh token, or tries to. */
  async #refresh({ token: choice, via }: Of<'refresh'>): Promise<void> {
    const { reference } = this;
    const isLive = (one: RefreshToken): boolean => one.spent === null && reference.isAlive(one.session);
    const token = pick(reference.refreshTokens, choice, isLive);
    if (token) await this.#spend(token, via);
  }

  /** Uses a refresh token at a node and a family by turns. */
  async spend(token: RefreshToken, turn: number): Promise<void> {
    this.#at = turn;
    await this.#spend(token, (['v1', '001', '003'] as const)[turn % 3] ?? 'v1');
  }

  async #spend(token: RefreshToken, via: keyof typeof REFRESH_PATHS): Promise<void> {
    const { reference } = this;
    const judged = reference.judgeRefresh(token);
    const answer = await this.#call(
      'POST',
      REFRESH_PATHS[via],
      { body: { refresh_token: token.text } },
      judged.verdict === 'rotated' || judged.verdict === 'again' ? 200 : 401,
    );
    this.#count(`refresh ${judged.verdict}`);
    if (judged.verdict !== 'rotated' && judged.verdict !== 'again') return;
    const issued = issuedOf(answer);
    const { access_token = '', refresh_token = '' } = issued;
    if (judged.verdict === 'rotated') {
      expect(refresh_token).not.toBe(token.text);
      this.#compareLife(issued, reference.rotate(token, access_token, refresh_token));
      return;
    }
    expect(refresh_token).toBe(judged.successor.text);
    this.#compareLife(issued, judged.access);
    // ES256 signs the same claims differently each time: another text of the same credential.
    if (access_token === judged.access.text) return;
    expect(judged.access.session.app).toBe('shop');
    reference.credentials.push({ ...judged.access, text: access_token });
  }

  async #logOut({ who, forged, how }: Of<'log out'>): Promise<void> {
    const credential = this.#credential(who, how.via === '002' ? 'session' : null);
    if (!credential) return;
    switch (how.via) {
      case 'v1':
        return this.#logOutV1(credential, forged, how);
      case '001+004':
        return credential.kind === 'cookie'
          ? this.#logOut004(credential, forged, how.scope)
          : this.#logOutAll('/auth/logout', credential);
      case '002':
        return this.#logOut002(credential, how.owner);
      case '003':
        return this.#logOutAll('/api/v1/auth/logout', credential);
    }
  }

  async #logOutV1(
    credential: Credential,
    forged: boolean,
    how: Extract<OwnLogout, { via: 'v1' }>,
  ): Promise<void> {
    const { reference } = this;
    const caller = this.#changer(credential, forged);
    const { user, device, sid } = credential.session;
    const owner = { user: user.id };
    const by = `user:${user.id}`;
    const asked = this.#asking(credential, forged);
    if (how.scope === 'one') {
      const named = this.#session(how.session);
      const path = `/v1/sessions/${named.sid}`;
      const found = caller.status === 200 ? this.#namedAnswers(named, user) : ([caller.status] as const);
      const answer = await this.#call('DELETE', path, asked, ...found);
      if (answer.status !== 200) return;
      const ended = await this.#endNamed([named.sid], 'logout', by);
      expect(ended).toEqual([named]);
      this.#compareEnded(answer, 1);
      return;
    }
    const chosen = how.scope === 'selected' ? how.sessions.map((one) => this.#session(one)) : [];
    const body =
      how.scope === 'selected'
        ? { scope: how.scope, sessions: chosen.map((one) => one.sid) }
        : how.scope === 'device' && how.device !== null
          ? { scope: how.scope, device: how.device }
          : { scope: how.scope };
    const answer = await this.#call('POST', '/v1/logout', { ...asked, body }, caller.status);
    if (caller.status !== 200) return;
    if (how.scope === 'selected') {
      // Another user's are left out.
      const own = chosen.filter((one) => one.user === user).map((one) => one.sid);
      this.#compareEnded(answer, (await this.#endNamed(own, 'logout', by)).length);
      return;
    }
    const targets: Record<typeof how.scope, Target> = {
      this: { scope: 'sessions', sids: [sid] },
      others: { scope: 'others', ...owner, spared: sid },
      all: { scope: 'user', ...owner },
      device: {
        scope: 'device',
        ...owner,
        device: how.scope === 'device' ? (how.device ?? device) : device,
      },
    };
    this.#compareEnded(answer, reference.end(targets[how.scope], 'logout', by).length);
  }

  async #logOut004(credential: Credential, forged: boolean, scope: string | null): Promise<void> {
    const { reference } = this;
    const caller = this.#changer(credential, forged);
    const { user, sid } = credential.session;
    const status = caller.status === 200 && scope === 'nonsense' ? 400 : caller.status;
    const path = `/auth/logout${scope === null ? '' : `?scope=${scope}`}`;
    const answer = await this.#call('POST', path, this.#asking(credential, forged), status);
    if (status !== 200) return;
    this.#confirmed(answer);
    const target: Target =
      scope === 'all'
        ? { scope: 'user', user: user.id }
        : scope === 'others'
          ? { scope: 'others', user: user.id, spared: sid }
          : { scope: 'sessions', sids: [sid] };
    reference.end(target, 'logout', `user:${user.id}`);
  }

  /** Contract 002: the token in the query is the credential. Every fault has one answer. */
  async #logOut002(credential: Credential, owner: number | null): Promise<void> {
    const { session } = credential;
    const user = owner === null ? session.user : this.#user(owner);
    const isToken = credential.kind === 'session' && this.reference.now < credential.expiresAt;
    const found = isToken ? this.#namedAnswers(session, user) : ([404] as const);
    const query = new URLSearchParams({ userId: String(user.id), sessionId: credential.text });
    const answer = await this.#call('POST', `/api/auth/logout?${query.toString()}`, {}, ...found);
    if (answer.status !== 200) return;
    this.#confirmed(answer);
    const ended = await this.#endNamed([session.sid], 'logout', `user:${session.user.id}`);
    expect(ended).toEqual([session]);
  }

  /** The answer to naming one's own or another user's session. */
  #namedAnswers(session: Session, by: User): readonly [number, ...number[]] {
    if (session.user !== by) return [404];
    if (this.reference.isAlive(session)) return [200];
    return this.reference.isIdle(session) ? [200, 404] : [404];
  }

  /**
   * Ends the named sessions. A session that expired idle may be ended once more or be left alone: its row learns late of its last
   * use, and must not spare one in use. The row must then agree with the answer.
   */
  async #endNamed(sids: string[], reason: string, by: string): Promise<Session[]> {
    const { reference } = this;
    const idle = reference.sessions.filter((one) => sids.includes(one.sid) && reference.isIdle(one));
    const rows =
      idle.length === 0
        ? []
        : await this.stage.place.rows<{ id: string }>(
            `select id from user_sessions where id = any($1::uuid[]) and ended_reason = $2
             and split_part(ended_by, '/', 1) = $3`,
            idle.map((one) => one.sid),
            reason,
            by,
          );
    const again = idle.filter((one) => rows.some((row) => row.id === one.sid));
    return reference.end({ scope: 'sessions', sids }, reason, by, again);
  }

  /** Contracts 001 and 003: by the header alone, and every session of the user. */
  async #logOutAll(path: string, credential: Credential): Promise<void> {
    const { reference } = this;
    const session = credential.kind === 'cookie' ? null : reference.open(credential, false);
    const answer = await this.#call('POST', path, this.#asking(credential, false), session ? 200 : 401);
    if (!session) return;
    this.#confirmed(answer);
    reference.end({ scope: 'user', user: session.user.id }, 'logout', `user:${session.user.id}`);
  }

  async #endAsAdministrator(by: By, forged: boolean, target: AdminLogout): Promise<void> {
    const { reference } = this;
    const caller = this.#administrator(by, forged);
    const asked = this.#askingBy(by, forged);
    const path = '/v1/admin/logout';
    const meant = this.#adminTarget(target);
    if (target.scope === 'everyone') {
      const count = reference.liveSessions().length;
      const confirm = target.off === null ? null : Math.max(0, count + target.off);
      const near = confirm !== null && Math.abs(confirm - count) <= Math.floor(count / 20);
      const status = caller.status !== 200 ? caller.status : near ? 200 : 409;
      const body = { scope: 'everyone', ...(confirm === null ? {} : { confirm }) };
      const answer = await this.#call('POST', path, { ...asked, body }, status);
      if (status === 409) expect(answer.json['count']).toBe(count);
      if (caller.status !== 200 || status !== 200) return;
      this.#compareEnded(answer, reference.end(meant, 'admin_logout', caller.by).length);
      return;
    }
    const answer = await this.#call('POST', path, { ...asked, body: adminBody(meant) }, caller.status);
    if (caller.status !== 200) return;
    const ended =
      meant.scope === 'sessions'
        ? await this.#endNamed(meant.sids, 'admin_logout', caller.by)
        : reference.end(meant, 'admin_logout', caller.by);
    this.#compareEnded(answer, ended.length);
  }

  #adminTarget(target: AdminLogout): Target {
    switch (target.scope) {
      case 'sessions':
        return { scope: 'sessions', sids: target.sessions.map((one) => this.#session(one).sid) };
      case 'user':
        return { scope: 'user', user: this.#user(target.user).id };
      case 'users':
        return { scope: 'users', users: target.users.map((one) => this.#user(one).id) };
      case 'device':
        return { ...target, user: this.#user(target.user).id };
      case 'client':
      case 'everyone':
        return target;
    }
  }

  async #changeUser({ by, forged, user: nth, role, disabled }: Of<'change user'>): Promise<void> {
    const user = this.#changed(nth, by);
    const name = `Renamed ${++this.#names}`;
    const body = {
      name,
      ...(role === null ? {} : { role }),
      ...(disabled === null ? {} : { disabled }),
      // The last administrator has its own tests.
      confirm_last_administrator: true,
    };
    const caller = await this.#change('PATCH', user, '', by, forged, body);
    if (caller) this.reference.change(user, { name, role, disabled }, caller.session, caller.by);
  }

  async #deleteUser({ by, forged, user: nth }: Of<'delete user'>): Promise<void> {
    const user = this.#changed(nth, by);
    const caller = await this.#change('DELETE', user, '', by, forged, {
      confirm_last_administrator: true,
    });
    if (caller) this.reference.delete(user, caller.by);
  }

  async #resetPassword({ by, forged, user: nth }: Of<'reset password'>): Promise<void> {
    const user = this.#changed(nth, by);
    const password = this.#newPassword();
    const caller = await this.#change('POST', user, '/password', by, forged, { password });
    if (caller) this.reference.setPassword(user, password, caller.session, 'password_reset', caller.by);
  }

  /** Asks for a change of a user; returns the actor when it goes through. */
  async #change(
    method: 'PATCH' | 'DELETE' | 'POST',
    user: User,
    what: string,
    by: By,
    forged: boolean,
    body?: unknown,
  ): Promise<Extract<Caller, { status: 200 }> | null> {
    const caller = this.#administrator(by, forged);
    const done = method === 'DELETE' ? 204 : 200;
    const status = caller.status !== 200 ? caller.status : user.deleted ? 404 : done;
    const asked = this.#askingBy(by, forged);
    await this.#call(
      method,
      `/v1/admin/users/${user.id}${what}`,
      body === undefined ? asked : { ...asked, body },
      status,
    );
    return caller.status === 200 && !user.deleted ? caller : null;
  }

  async #changePassword({ who, forged, wrong }: Of<'change password'>): Promise<void> {
    const credential = this.#credential(who, null);
    if (!credential) return;
    const caller = this.#changer(credential, forged);
    const { session } = credential;
    const { user } = session;
    const body = {
      current_password: wrong ? 'mistaken' : user.password,
      new_password: this.#newPassword(),
    };
    const status = caller.status !== 200 ? caller.status : !isForCurfew(session) ? 403 : wrong ? 401 : 200;
    const answer = await this.#call(
      'POST',
      '/v1/password',
      { ...this.#asking(credential, forged), body },
      status,
    );
    if (status !== 200) return;
    const by = `user:${user.id}`;
    this.reference.setPassword(user, body.new_password, session, 'password_changed', by);
    const issued = issuedOf(answer);
    const cookie = issued.csrf_token === undefined ? undefined : cookieOf(answer);
    const { app, device, grant } = session;
    await this.#begun(issued, cookie, { user, app, device, grant });
    this.reference.end({ scope: 'sessions', sids: [session.sid] }, 'renewed', by);
  }

  async #wait({ seconds, calm }: Of<'wait'>): Promise<void> {
    await this.#advance(seconds);
    if (calm) await this.stage.calm();
  }

  async #advance(seconds: number): Promise<void> {
    await this.compareIdleEnds();
    this.stage.advance(seconds);
    this.reference.now = this.stage.now();
  }

  /** A credential in memory must not be accepted beyond its end: asked a second before it. */
  async #edge({ who, end }: Of<'edge'>): Promise<void> {
    const { stage, reference } = this;
    const credential = this.#credential(who, null);
    if (!credential) return;
    const { session, expiresAt } = credential;
    const endsAt = { own: expiresAt, idle: session.idleEndsAt + IDLE_SLACK_MS, absolute: session.endsAt }[
      end
    ];
    const seconds = (endsAt - reference.now) / 1000 - 1;
    if (seconds > 0) await this.#advance(seconds);
    await stage.calm();
    for (const at of [0, 1]) await checkQuietly(stage, reference, credential, at);
    await this.#advance(1);
    for (const at of [0, 1]) await checkQuietly(stage, reference, credential, at);
  }

  /** Writes activity: the rows then agree with the reference. */
  async compareIdleEnds(): Promise<void> {
    await this.stage.flushActivity();
    const live = this.reference.liveSessions();
    const rows = await this.stage.place.rows<{ id: string; idle_expires_at: Date }>(
      'select id, idle_expires_at from user_sessions where id = any($1::uuid[])',
      live.map((one) => one.sid),
    );
    const written = new Map(rows.map((row) => [row.id, row.idle_expires_at.getTime()]));
    expect(
      live.map((one) => [one.sid, written.get(one.sid)]),
      'the idle ends',
    ).toEqual(live.map((one) => [one.sid, one.idleEndsAt]));
  }

  #compareEnded(answer: Answer, ended: number): void {
    expect(answer.json['confirmed']).toBe(true);
    this.#count(`ended ${Math.min(ended, 5)}`);
    // Beyond this many the rows are marked later.
    if (this.reference.sessions.length > MARKED_AT_ONCE && answer.json['more'] === true) {
      expect(answer.json['ended']).toBe(ended);
      this.#count('ended more');
      return;
    }
    expect({ ended: answer.json['ended'], more: answer.json['more'] }).toEqual({ ended, more: false });
  }

  /** The four contracts say it in a header. */
  #confirmed(answer: Answer): void {
    expect(answer.headers.get('curfew-propagation')).toMatch(/^confirmed=\?1, /);
  }

  #count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  #newPassword(): string {
    return `new password ${++this.#passwords}`;
  }

  /** The expected result of a change with a credential. It counts as activity in any case. */
  #changer(credential: Credential, forged: boolean): Caller {
    const session = this.reference.open(credential, true);
    if (!session) return { status: 401 };
    if (credential.kind === 'cookie' && forged) return { status: 403 };
    return { status: 200, session, by: `user:${session.user.id}` };
  }

  #administrator(by: By, forged: boolean): Caller {
    const credential = by === 'service' ? null : this.#credential(by.credential, null);
    if (!credential) return { status: 200, session: null, by: 'service' };
    const caller = this.#changer(credential, forged);
    if (caller.status !== 200) return caller;
    return caller.session?.user.role === 'admin' && isForCurfew(caller.session) ? caller : { status: 403 };
  }

  #askingBy(by: By, forged: boolean): CallOptions {
    const credential = by === 'service' ? null : this.#credential(by.credential, null);
    return credential ? this.#asking(credential, forged) : { bearer: SERVICE_KEY };
  }

  #asking({ kind, text, csrf }: Credential, forged: boolean): CallOptions {
    if (kind !== 'cookie') return { bearer: text };
    return forged || csrf === null ? { cookie: text } : { cookie: text, csrf };
  }

  #user(nth: number): User {
    return this.reference.users[nth % this.reference.users.length] as User;
  }

  #changed(user: Changed, by: By): User {
    if (user !== 'self') return this.#user(user);
    return (by === 'service' ? null : this.#credential(by.credential, null))?.session.user ?? this.#user(0);
  }

  /** A session's id, or, without sessions, an id that does not exist. */
  #session(choice: Choice): Session {
    const found = pick(this.reference.sessions, choice, (one) => this.reference.isAlive(one));
    return found ?? NOBODYS;
  }

  #credential(choice: Choice, kind: Credential['kind'] | null): Credential | null {
    const { reference } = this;
    const possible = reference.credentials.filter((one) => kind === null || one.kind === kind);
    return pick(possible, choice, (one) => reference.open(one, false) !== null);
  }
}

const NOBODYS: Session = {
  sid: '019a9f2c-5f6e-7c3a-9d52-000000000000',
  user: { id: 0, email: '', name: '', password: '', role: 'user', disabled: false, deleted: true },
  app: 'default',
  device: '',
  grant: 'bearer',
  idleEndsAt: 0,
  endsAt: 0,
  ended: null,
};

/** The nth from the newest, of the live ones if there are any and they are asked for. */
function pick<T>(all: T[], choice: Choice, isLive: (one: T) => boolean): T | null {
  const live = choice.live ? all.filter(isLive) : [];
  const from = live.length > 0 ? live : all;
  return from.at(-1 - (choice.nth % from.length)) ?? null;
}

/** `shop` has its own audience. */
const isForCurfew = (session: Session): boolean => session.app !== 'shop';

function adminBody(target: Target): Record<string, unknown> {
  switch (target.scope) {
    case 'sessions':
      return { scope: target.scope, sessions: target.sids };
    case 'user':
      return { scope: target.scope, user_id: target.user };
    case 'users':
      return { scope: target.scope, user_ids: target.users };
    case 'device':
      return { scope: target.scope, user_id: target.user, device_id: target.device };
    case 'client':
      return { scope: target.scope, client_id: target.app };
    default:
      throw new Error(`an administrator has no scope ${target.scope}`);
  }
}
