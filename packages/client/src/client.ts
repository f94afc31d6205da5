import { createBearer } from './bearer.ts';
import { type Carrier, type Issued, sessionOf } from './carrier.ts';
import { createCookie } from './cookie.ts';
import type {
  Client,
  ClientOptions,
  LoggedOut,
  LogoutOptions,
  LogoutResult,
  Session,
  SessionsPage,
  SessionView,
  Told,
} from './interface.ts';
import { openKept } from './kept.ts';
import { createNotices, type Notice } from './notices.ts';
import { pause } from './pause.ts';
import { problemOf, ProblemError } from './problem.ts';
import { openTabs, type Word } from './tabs.ts';
import { createUntold, logoutRequest, OVER, toldOf } from './untold.ts';
import { watchWaking } from './waking.ts';

/** Coming back to a tab is no reason to ask again what was asked a moment ago. */
const ASKED_LATELY_MS = 5000;
/** How often, 5 ms apart, to look whether what another tab has written to localStorage is here. */
const ARRIVAL_WAITS = 200;

/** More than a person looks through. */
const MOST_SESSIONS = 1000;

/** Requests after which a new session takes the place of the one that asked; the answer is that of a login. */
const RENEWING = /^\/v1\/(password|session\/confirm)$/;
/** How often, 50 ms apart, to look for the cookie of the new session, which another tab is being given. */
const RENEWAL_WAITS = 100;

const instant = (): string => new Date().toISOString();

/** A client of one authority. Give every part of a page the same one. */
export function createClient(options: ClientOptions = {}): Client {
  const { mode = 'cookie', storage = 'memory', clientId = 'default', notices: wantsNotices = true } = options;
  const authority = new URL(options.authority ?? location.href).origin;
  const carriedTo = new Set([authority, ...(options.origins ?? [])]);
  const isCookie = mode === 'cookie';
  /** Tabs share one session, or each has its own. */
  const isShared = isCookie || storage === 'local';

  const kept = openKept(`curfew:${authority}:${clientId}:`);
  const onLoggedOut = new Set<(why: LoggedOut) => void | Promise<void>>();
  const onSessionsChanged = new Set<() => void>();
  let because: LoggedOut | null = null;
  let asking: Promise<Session | null> | undefined;
  let askedMs = 0;
  /** A login or logout of ours that is under way. What others say of the session in the meantime has to wait for it. */
  let acting: Promise<unknown> = Promise.resolve();
  let hearing: Promise<unknown> = Promise.resolve();
  let away = false;
  /** The last session whose place another one took. */
  let renewedId: string | null = null;
  /** Counts the sessions that have begun or ended here: an answer that was asked for before speaks of another one. */
  let turns = 0;

  const bearer = isCookie
    ? null
    : createBearer(authority, kept, storage, (sid, problem) => found(sid, problem.ended));
  const carrier: Carrier = bearer ?? createCookie(ask, () => ask(true));
  const untold = createUntold(authority, kept, bearer?.sendFor ?? null, storage === 'local');
  const tabs = openTabs(kept, hear);
  const notices = createNotices(authority, kept, {
    notice: (notice) => void heed(notice),
    ask: async () => (await ask()) !== null,
    subprotocols: carrier.subprotocols,
  });
  const stopWatching = watchWaking({
    wake(slept) {
      away = false;
      attend();
      if (slept) notices.restart();
      void untold.tell();
      if (slept || Date.now() - askedMs > ASKED_LATELY_MS) lookAfter();
    },
    leave() {
      away = true;
      attend();
    },
  });

  /** Undefined: nobody has asked yet. */
  let session: Session | null | undefined = carrier.known();
  if (untold.any()) void untold.tell();

  /** Keeps the socket open while somebody listens, and only then. */
  function attend(): void {
    const listens = wantsNotices && onLoggedOut.size + onSessionsChanged.size > 0;
    notices.follow(listens && !away && session ? session.id : null);
  }

  function lookAfter(): void {
    const matters = session || (session === undefined && onLoggedOut.size + onSessionsChanged.size > 0);
    // The next occasion comes.
    if (matters) ask().catch(() => undefined);
  }

  function changed(): void {
    for (const listener of onSessionsChanged) listener();
  }

  /**
   * The session is over for this page.
   * @param say whether the other tabs are to know it from here
   * @returns when the listeners are done. Only a logout waits for that: a listener may ask us things itself
   */
  function leave(why: LoggedOut, say: boolean, browser = false): Promise<unknown> {
    const was = session;
    turns++;
    session = null;
    because = why;
    carrier.giveUp(why.sessionId);
    // Before the socket is let go of: the tab that takes it over must know.
    if (say) tabs.say({ t: 'out', why, user: was?.user_id ?? null, browser });
    attend();
    if (was === null) return Promise.resolve();
    return Promise.all(
      [...onLoggedOut].map(async (listener) => {
        try {
          await listener(why);
        } catch (error) {
          // The listener's own fault is for its owner to see, and for nobody else to suffer.
          reportError(error);
        }
      }),
    );
  }

  function found(sid: string | null, ended: ProblemError['ended']): void {
    const said = ended ?? { reason: 'unknown', by: 'unknown' as const, at: instant() };
    void leave({ ...said, sessionId: sid, where: 'found' }, true);
  }

  function gone(reason: string, sessionId: string): void {
    void leave({ reason, by: 'self', at: instant(), sessionId, where: 'another tab' }, false);
  }

  /** Another tab has logged out, or logged in anew, and this one was not there to hear it. */
  function takeNotice(): void {
    if (session && (isCookie ? untold.any() : !carrier.known())) gone('logout', session.id);
  }

  /** What is known of the session is this from now on. @param renews the session whose place it has taken */
  function know(next: Session, renews: string | null = null): Session {
    if (session && session.id !== next.id && session.id !== renews) gone('replaced_by_login', session.id);
    if (session?.id !== next.id) turns++;
    session = next;
    because = null;
    attend();
    return next;
  }

  /** How the session stands, by the server's word. @param refused a request was refused, so that somebody minds */
  function ask(refused = false): Promise<Session | null> {
    asking ??= askNow(refused).finally(() => {
      asking = undefined;
    });
    return asking;
  }

  async function askNow(refused: boolean, waits: number = RENEWAL_WAITS): Promise<Session | null> {
    takeNotice();
    if (isCookie && untold.any()) {
      await untold.tell();
      if (untold.any()) return null;
    }
    if (bearer && !bearer.known()) {
      session = null;
      return null;
    }
    const before = turns;
    const response = await carrier.send(new Request(`${authority}/v1/session`), 'asking');
    askedMs = Date.now();
    const said = response.ok ? ((await response.json()) as Issued) : await problemOf(response);
    // Logged out or logged in while it was being asked.
    if (before !== turns) return session ? askNow(refused) : null;
    if (!(said instanceof ProblemError)) {
      carrier.take(said);
      return know(sessionOf(said), renewedId);
    }
    if (response.status !== 401) throw said;
    if (isCookie && session && said.ended?.reason === 'renewed' && waits > 0) {
      renewedId = session.id;
      await pause(50);
      return askNow(refused, waits - 1);
    }
    if (session || (refused && session === undefined)) found(session?.id ?? null, said.ended);
    else if (session === undefined) {
      session = null;
      if (said.ended) because = { ...said.ended, sessionId: null, where: 'found' };
    }
    return null;
  }

  /** What another tab says, one word after the other. */
  function hear(word: Word): void {
    if (word.t === 'changed') return changed();
    // A listener's own fault is for its owner to see, and the next word is heard all the same.
    hearing = hearing
      .then(() => acting)
      .then(() => take(word))
      .catch(reportError);
  }

  async function take(word: Exclude<Word, { t: 'changed' }>): Promise<void> {
    if (word.t === 'in') {
      // The word may be here before the tokens: without them it would look as if the session were over already.
      for (let waits = ARRIVAL_WAITS; bearer && isShared && bearer.known()?.id !== word.session.id; waits--) {
        if (waits === 0) return takeNotice();
        await pause(5);
      }
      if (isShared) know(word.session, word.renews ?? null);
      return changed();
    }
    const { why, user, browser } = word;
    const where = why.where === 'here' ? 'another tab' : why.where;
    const { sessionId } = why;
    if (session && sessionId ? session.id === sessionId : session !== null && isShared)
      void leave({ ...why, where }, false);
    else if (!isShared && browser && session && session.user_id === user) {
      // A session of this tab alone, of the same user. It is told to the server by whom it belongs to.
      setAside(session.id, { scope: 'this' });
      void leave({ ...why, sessionId: session.id, where }, false);
    }
  }

  /** Takes the credential out of use and notes that it is to be ended. */
  function setAside(sid: string | null, asked: LogoutOptions): ReturnType<typeof untold.add> {
    const telling = untold.add({ sid: sid ?? '', asked, ...carrier.giveUp(sid) });
    // For whoever waits for it; nobody may.
    telling.first.catch(() => undefined);
    return telling;
  }

  /** What the server says. */
  async function heed(notice: Notice): Promise<void> {
    if (notice.type === 'session.ended') {
      await acting;
      const { session_id: sessionId, reason, by, at } = notice;
      // Whoever renewed it in this browser says so to the other tabs, or the cookie does.
      if (reason === 'renewed' && session?.id === sessionId && isShared) {
        renewedId = sessionId;
        if (isCookie) await ask();
        return;
      }
      // By the session itself, and not in this page: then in another one of this browser.
      if (session?.id === sessionId)
        void leave({ reason, by, at, sessionId, where: by === 'self' ? 'another tab' : 'elsewhere' }, true);
    } else if (notice.type === 'sessions.changed' || notice.type === 'hello') {
      // Before the first word something may have changed that nobody was told.
      tabs.say({ t: 'changed' });
      changed();
    }
  }

  /** Runs a login or logout; they do not overlap. */
  function act<T>(work: () => Promise<T>): Promise<T> {
    const done = acting.then(work);
    // Whoever waits only wants to know that it is over.
    acting = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /** Sends what gives a new session, and takes that. */
  async function renew(request: Request): Promise<Response> {
    const was = session?.id ?? carrier.known()?.id ?? null;
    const response = await carrier.send(request, 'authority');
    if (!response.ok) return response;
    const issued = (await response.clone().json()) as Issued;
    carrier.take(issued);
    const next = know(sessionOf(issued), was);
    tabs.say({ t: 'in', session: next, ...(was ? { renews: was } : {}) });
    return response;
  }

  async function logIn({ email, password }: { email: string; password: string }): Promise<Session> {
    if (untold.any()) await untold.tell();
    const device = kept.get('device');
    const response = await fetch(`${authority}/v1/login`, {
      method: 'POST',
      credentials: isCookie ? 'include' : 'omit',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        email,
        password,
        transport: mode,
        client_id: clientId,
        ...(device ? { device: { id: device } } : {}),
      }),
    });
    if (!response.ok) throw await problemOf(response);
    const issued = (await response.json()) as Issued;
    kept.set('device', issued.session.device_id);
    // The server ends the session that the cookie had before. That of tokens is ended from here.
    const before = carrier.known();
    if (isCookie) untold.drop();
    else if (before) setAside(before.id, { scope: 'this' });
    session = null;
    carrier.take(issued);
    const next = know(sessionOf(issued));
    tabs.say({ t: 'in', session: next });
    return next;
  }

  const covers = ({ scope = 'this', sessions, device }: LogoutOptions): boolean =>
    scope === 'this' ||
    scope === 'all' ||
    (scope === 'selected' && sessions?.includes(session?.id ?? '') === true) ||
    (scope === 'device' && (device === undefined || device === session?.device_id));

  async function logOut(asked: LogoutOptions): Promise<{ result: LogoutResult; heard?: Promise<unknown> }> {
    const isHere = covers(asked);
    let told: Told | undefined;
    // What reaches further may be refused (the server may want the password again): then nothing has happened.
    if ((asked.scope ?? 'this') !== 'this') {
      try {
        const response = await carrier.send(logoutRequest(authority, asked), 'authority');
        if (!response.ok) throw await problemOf(response);
        told = toldOf((await response.json()) as Told);
      } catch (error) {
        if (!isHere || (error instanceof ProblemError && error.status < 500)) throw error;
      }
    }
    if (!isHere || session === null) return { result: { local: true, server: 'done', ...(told ?? OVER) } };
    const sessionId = session?.id ?? null;
    const telling = told ? null : setAside(sessionId, { scope: 'this', ...asked });
    const heard = leave(
      { reason: 'logout', by: 'self', at: instant(), sessionId, where: 'here' },
      true,
      true,
    );
    // A refusal is said by `told`; over here it is over.
    told ??= (await telling?.first.catch(() => null)) ?? undefined;
    if (told || !telling) return { result: { local: true, server: 'done', ...(told ?? OVER) }, heard };
    return { result: { local: true, server: 'pending', told: telling.told }, heard };
  }

  async function sessionsPage({ before }: { before?: string | null } = {}): Promise<SessionsPage> {
    const query = before ? `?before=${encodeURIComponent(before)}` : '';
    const response = await carrier.send(new Request(`${authority}/v1/sessions${query}`), 'authority');
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as SessionsPage;
  }

  function listen<T>(listeners: Set<T>, listener: T): () => void {
    listeners.add(listener);
    attend();
    if (session === undefined) lookAfter();
    return () => {
      listeners.delete(listener);
      attend();
    };
  }

  return {
    login: (credentials) => act(() => logIn(credentials)),
    async logout(asked = {}) {
      const { result, heard } = await act(() => logOut(asked));
      await heard;
      return result;
    },
    session: () => ask(),
    async sessions() {
      const all: SessionView[] = [];
      let before: string | null = null;
      do {
        const page: SessionsPage = await sessionsPage({ before });
        all.push(...page.sessions);
        before = page.next;
      } while (before && all.length < MOST_SESSIONS);
      return all;
    },
    sessionsPage,
    async fetch(input, init) {
      const request = new Request(input, init);
      const { origin } = new URL(request.url);
      takeNotice();
      // A header of the caller's own decides; and a cookie of a session that is over is not sent on.
      if (!carriedTo.has(origin) || request.headers.has('authorization')) return fetch(request);
      if (isCookie && untold.any()) return fetch(new Request(request, { credentials: 'omit' }));
      if (origin !== authority) return carrier.send(request, 'other');
      const isRenewing = request.method === 'POST' && RENEWING.test(new URL(request.url).pathname);
      return isRenewing ? act(() => renew(request)) : carrier.send(request, 'authority');
    },
    onLoggedOut: (listener) => listen(onLoggedOut, listener),
    onSessionsChanged: (listener) => listen(onSessionsChanged, listener),
    get endedBecause() {
      return because;
    },
    close() {
      stopWatching();
      notices.follow(null);
      tabs.close();
      untold.close();
      onLoggedOut.clear();
      onSessionsChanged.clear();
    },
  };
}
