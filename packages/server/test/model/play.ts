/** A play: the nodes and the reference, on which the acts play commands and compare the answers. */
import { expect } from 'vitest';
import { type Answer, type CallOptions, SERVICE_KEY } from '../support.ts';
import { type By, type Changed, type Choice, USERS } from './commands.ts';
import { type Credential, type Grant, Reference, type Role, type Session, type User } from './promised.ts';
import { CLIENTS, GRACE_SECONDS, type Stage } from './stage.ts';

/** The body of an answer that issues tokens, in any family; `/v1` names the session as well. */
export interface Issued {
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
export type Caller = { status: 401 | 403 } | { status: 200; session: Session | null; by: string };

const MARKED_AT_ONCE = 100;

/** The part of the family's body that others have at the top. */
export const issuedOf = (answer: Answer): Issued => (answer.json['data'] ?? answer.json) as Issued;

export class Play {
  readonly stage: Stage;
  readonly reference: Reference;
  /** Events of this play have positions above it. */
  readonly startPosition: number;
  /** How often a command was answered with which status. */
  readonly tally = new Map<string, number>();
  #passwords = 0;
  #names = 0;
  /** The node whose turn it is. */
  at = 0;

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

  /** Asks the node whose turn it is. @param status the expected status, or several */
  async call(
    method: string,
    path: string,
    options: CallOptions,
    ...status: [number, ...number[]]
  ): Promise<Answer> {
    const answer: Answer = await this.stage.node(this.at).call(method, path, options);
    this.count(`${method} ${path.replaceAll(/\/\d[^/?]*|\?.*/g, '…')} ${answer.status}`);
    expect(status, `${method} ${path}: ${answer.text}`).toContain(answer.status);
    return answer;
  }

  /** Adds a new session to the reference, and compares the answer with it. */
  async begun(
    issued: Issued,
    cookie: string | undefined,
    facts: { user: User; app: string; device: string | null; grant: Grant },
  ): Promise<void> {
    const { reference } = this;
    // Contract 002 calls it sessionToken.
    const named = (issued as { sessionToken?: string }).sessionToken;
    const text = issued.access_token ?? issued.session_token ?? named ?? cookie ?? '';
    const said = issued.session ?? (await this.askSession(facts.grant, text));
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
    this.compareLife(issued, credential);
  }

  /** Asking for the session does not count as activity. */
  async askSession(grant: Grant, text: string): Promise<SessionBody> {
    const options = grant === 'cookie' ? { cookie: text } : { bearer: text };
    return (await this.call('GET', '/v1/session', options, 200)).json['session'] as SessionBody;
  }

  compareLife(issued: Issued, credential: Credential): void {
    if (issued.expires_in !== undefined)
      expect(issued.expires_in, 'expires_in').toBe((credential.expiresAt - this.reference.now) / 1000);
  }

  compareEnded(answer: Answer, ended: number): void {
    expect(answer.json['confirmed']).toBe(true);
    this.count(`ended ${Math.min(ended, 5)}`);
    // Beyond this many the rows are marked later.
    if (this.reference.sessions.length > MARKED_AT_ONCE && answer.json['more'] === true) {
      expect(answer.json['ended']).toBe(ended);
      this.count('ended more');
      return;
    }
    expect({ ended: answer.json['ended'], more: answer.json['more'] }).toEqual({ ended, more: false });
  }

  /** The four contracts say it in a header. */
  confirmed(answer: Answer): void {
    expect(answer.headers.get('curfew-propagation')).toMatch(/^confirmed=\?1, /);
  }

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  newName(): string {
    return `Renamed ${++this.#names}`;
  }

  newPassword(): string {
    return `new password ${++this.#passwords}`;
  }

  /** The expected result of a change with a credential. It counts as activity in any case. */
  changer(credential: Credential, forged: boolean): Caller {
    const session = this.reference.open(credential, true);
    if (!session) return { status: 401 };
    if (credential.kind === 'cookie' && forged) return { status: 403 };
    return { status: 200, session, by: `user:${session.user.id}` };
  }

  administrator(by: By, forged: boolean): Caller {
    const credential = by === 'service' ? null : this.credential(by.credential, null);
    if (!credential) return { status: 200, session: null, by: 'service' };
    const caller = this.changer(credential, forged);
    if (caller.status !== 200) return caller;
    return caller.session?.user.role === 'admin' && isForCurfew(caller.session) ? caller : { status: 403 };
  }

  askingBy(by: By, forged: boolean): CallOptions {
    const credential = by === 'service' ? null : this.credential(by.credential, null);
    return credential ? this.asking(credential, forged) : { bearer: SERVICE_KEY };
  }

  asking({ kind, text, csrf }: Credential, forged: boolean): CallOptions {
    if (kind !== 'cookie') return { bearer: text };
    return forged || csrf === null ? { cookie: text } : { cookie: text, csrf };
  }

  user(nth: number): User {
    return this.reference.users[nth % this.reference.users.length] as User;
  }

  changed(user: Changed, by: By): User {
    if (user !== 'self') return this.user(user);
    return (by === 'service' ? null : this.credential(by.credential, null))?.session.user ?? this.user(0);
  }

  /** A session's id, or, without sessions, an id that does not exist. */
  session(choice: Choice): Session {
    const found = pick(this.reference.sessions, choice, (one) => this.reference.isAlive(one));
    return found ?? NOBODYS;
  }

  credential(choice: Choice, kind: Credential['kind'] | null): Credential | null {
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
export function pick<T>(all: T[], choice: Choice, isLive: (one: T) => boolean): T | null {
  const live = choice.live ? all.filter(isLive) : [];
  const from = live.length > 0 ? live : all;
  return from.at(-1 - (choice.nth % from.length)) ?? null;
}

/** `shop` has its own audience. */
export const isForCurfew = (session: Session): boolean => session.app !== 'shop';
