import type { Notice } from '@curfew/protocol/notices';
import { addressOf, isBelow, isBrowser } from './addresses.ts';
import { createBearer } from './bearer-carrier.ts';
import { type Carrier, type Issued, currentSessionOf } from './carrier.ts';
import { createCookie } from './cookie-carrier.ts';
import type {
  Client,
  ClientOptions,
  LoggedOut,
  LogoutOptions,
  LogoutResult,
  CurrentSession,
  SessionsPage,
  OwnSession,
  LogoutAnswer,
} from './interface.ts';
import { openKept } from './kept.ts';
import { createNoticesSocket } from './notices-socket.ts';
import { pause } from './pause.ts';
import { contentOf, problemOf, ProblemError } from './problem.ts';
import { noCookies, posted, WITH_COOKIES } from './request.ts';
import { openTabs, type Word } from './tabs.ts';
import { createPendingLogouts, logoutRequest, OVER, answerOf } from './pending-logouts.ts';
import { watchWaking } from './waking.ts';

/** How long an answer about the session serves when the tab becomes visible again. */
const ASKED_LATELY_MS = 5000;
/** How often, 5 ms apart, to look for localStorage that another tab has written. */
const ARRIVAL_WAITS = 200;

/** More sessions than a person looks through. */
const MOST_SESSIONS = 1000;

/** Requests that replace the session of the caller by a new one; they answer like a login. */
const RENEWING = ['/v1/password', '/v1/session/confirm'];
/** How often, 50 ms apart, to look for the new session's cookie, which another tab is receiving. */
const RENEWAL_WAITS = 100;

/** Reports what a listener threw. On some servers `reportError` would end the process. */
const report = (error: unknown): void => (isBrowser() ? reportError : console.error)(error);

const instant = (): string => new Date().toISOString();

/**
 * Creates a client of one authority. A page needs one client, which all its parts share.
 * @throws TypeError that names an invalid option; on a server an invalid `authority` is thrown at its first use
 * @example
 * import { createClient } from '@curfew/client';
 *
 * const client = createClient({ authority: 'https://auth.example' });
 * client.onLoggedOut(() => location.assign('/login'));
 * const { user } = await client.login({ email: 'test@example.com', password: 'password123' });
 * const orders = await client.fetch('/v1/sessions');
 * await client.logout({ scope: 'all' });
 */
export function createClient(options: ClientOptions = {}): Client {
  const inPage = isBrowser();
  const { authority = '/', origins = [], storage = 'memory', clientId = 'default' } = options;
  const { mode = inPage ? 'cookie' : 'bearer', notices: wantsNotices = inPage } = options;
  const isCookie = mode === 'cookie';
  /** Tabs share one session, or each has its own. */
  const isShared = isCookie || storage === 'local';

  const carriedTo = origins.map((origin) => addressOf('origins', origin));
  /** The authority's URL for a path. Checked here and not at creation, because a server may load modules that are meant for pages. */
  const at = (path: string): string => {
    if (isCookie && !inPage) throw new TypeError("mode: 'cookie' needs a browser");
    return addressOf('authority', authority) + path;
  };

  const name = `curfew:${inPage ? at('') : ''}:${clientId}:`;
  /** Storage that all tabs share. */
  const common = openKept(name);
  const kept = openKept(isCookie ? name : `${name}${storage}:`);
  const onLoggedOut = new Set<(why: LoggedOut) => void | Promise<void>>();
  const onSessionsChanged = new Set<() => void>();
  let because: LoggedOut | null = null;
  let asking: Promise<CurrentSession | null> | undefined;
  let askedMs = 0;
  /** The login or logout under way. Messages about the session wait for it. */
  let acting: Promise<unknown> = Promise.resolve();
  let hearing = acting;
  let away = false;
  /** The last session that was replaced by a renewed one. */
  let renewedId: string | null = null;
  /** Counts the sessions that began or ended here: an answer to an earlier question is about another session. */
  let turns = 0;

  const bearer = isCookie
    ? null
    : createBearer(at, kept, isShared ? common : null, (sid, problem) => found(sid, problem.ended));
  const carrier: Carrier = bearer ?? createCookie(ask);
  const pendingLogouts = createPendingLogouts(at, kept, bearer?.sendFor, isShared);
  /** None on a server, where other clients belong to other users. */
  const tabs = inPage ? openTabs(kept, hear) : null;
  const notices = createNoticesSocket(at, kept, {
    notice: onNotice,
    ask,
    subprotocols: carrier.subprotocols,
  });
  const stopWatching = watchWaking({
    wake(slept) {
      away = false;
      holdSocket();
      if (slept) notices.restart();
      void pendingLogouts.tell();
      if (slept || Date.now() - askedMs > ASKED_LATELY_MS) lookAfter();
    },
    leave() {
      away = true;
      holdSocket();
    },
  });

  /** Undefined until the first answer. */
  let session: CurrentSession | null | undefined = carrier.known();
  void pendingLogouts.tell();

  /** Keeps the socket open exactly while there are listeners. */
  function holdSocket(): void {
    const listens = wantsNotices && onLoggedOut.size + onSessionsChanged.size > 0;
    notices.follow(listens && !away && session ? session.id : null);
  }

  function lookAfter(): void {
    const matters = session || (session === undefined && onLoggedOut.size + onSessionsChanged.size > 0);
    // The next occasion asks again.
    if (matters) ask().catch(() => undefined);
  }

  function changed(): void {
    for (const listener of onSessionsChanged) listener();
  }

  /**
   * Ends the session for this page.
   * @param say whether to tell the other tabs
   * @returns when the listeners are done. Only a logout waits for that, because a listener may call this client
   */
  async function leave(why: LoggedOut, say: boolean): Promise<void> {
    const was = session;
    turns++;
    session = null;
    because = why;
    carrier.giveUp(why.sessionId);
    // Before the socket closes: the tab that takes it over must know.
    if (say) tabs?.say({ t: 'out', why, user: was?.user_id ?? null });
    holdSocket();
    if (was === null) return;
    const heard = [...onLoggedOut].map(async (listener) => listener(why));
    // A listener's error is reported, and stops nothing else.
    await Promise.all(heard.map((done) => done.catch(report)));
  }

  function found(sid: string | null, ended: ProblemError['ended']): void {
    void leave(
      { reason: 'unknown', by: 'unknown', at: instant(), ...ended, sessionId: sid, where: 'found' },
      true,
    );
  }

  /** The session ended in this browser. */
  function gone(
    reason: LoggedOut['reason'],
    sessionId: string | null,
    where: LoggedOut['where'] = 'another tab',
  ): Promise<unknown> {
    return leave({ reason, by: 'self', at: instant(), sessionId, where }, where === 'here');
  }

  /** Another tab logged out or in while this one could not hear it. */
  function takeNotice(): void {
    if (session && (isCookie ? pendingLogouts.any() : !carrier.known())) void gone('logout', session.id);
  }

  /** Sets the session. @param renews the session that it replaces */
  function know(next: CurrentSession, renews?: string | null): CurrentSession {
    if (session && session.id !== next.id && session.id !== renews)
      void gone('replaced_by_login', session.id);
    if (session?.id !== next.id) turns++;
    session = next;
    because = null;
    holdSocket();
    return next;
  }

  /** Asks the server for the session. @param refused a request was refused, so an ended session is announced */
  function ask(refused = false): Promise<CurrentSession | null> {
    asking ??= askNow(refused).finally(() => {
      asking = undefined;
    });
    return asking;
  }

  async function askNow(refused: boolean, waits: number = RENEWAL_WAITS): Promise<CurrentSession | null> {
    const url = at('/v1/session');
    takeNotice();
    if (isCookie) {
      await pendingLogouts.tell();
      if (pendingLogouts.any()) return null;
    }
    if (!isCookie && !carrier.known()) {
      session = null;
      return null;
    }
    const before = turns;
    const response = await carrier.send(new Request(url), 'asking');
    askedMs = Date.now();
    const said = response.ok ? ((await response.json()) as Issued) : await problemOf(response);
    // A logout or login happened during the question.
    if (before !== turns) return session ? askNow(refused) : null;
    if (!(said instanceof ProblemError)) {
      carrier.take(said);
      return know(currentSessionOf(said), renewedId);
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

  /** Handles the messages of other tabs one by one. */
  function hear(word: Word): void {
    // A listener's error is reported, and the next message is handled all the same.
    hearing = hearing
      .then(() => acting)
      .then(() => take(word))
      .catch(report);
  }

  async function take(word: Word): Promise<void> {
    if (word.t === 'in') {
      // The message may arrive before the tokens, without which the session would look ended.
      for (let waits = ARRIVAL_WAITS; bearer && isShared && bearer.known()?.id !== word.session.id; waits--) {
        if (waits === 0) return takeNotice();
        await pause(5);
      }
      if (isShared) know(word.session, word.renews);
    }
    if (word.t !== 'out') return changed();
    const { why, user } = word;
    const { sessionId } = why;
    const where = why.where === 'here' ? 'another tab' : why.where;
    if (session && sessionId ? session.id === sessionId : session !== null && isShared)
      void leave({ ...why, where }, false);
    else if (!isShared && why.where === 'here' && session?.user_id === user) {
      // A session of this tab alone, of the same user: this tab ends it at the server.
      setAside(session.id, { scope: 'this' });
      void leave({ ...why, sessionId: session.id, where }, false);
    }
  }

  /** Takes the credential out of use and records that it is to be ended. */
  function setAside(sid: string | null, asked: LogoutOptions): ReturnType<typeof pendingLogouts.add> {
    const telling = pendingLogouts.add({
      sid: sid ?? '',
      asked,
      notedMs: Date.now(),
      ...carrier.giveUp(sid),
    });
    // A rejection is for callers that wait; there may be none.
    telling.first.catch(() => undefined);
    return telling;
  }

  /** Handles a notice of the server. */
  async function onNotice(notice: Notice): Promise<void> {
    if (notice.type === 'session.ended') {
      await acting;
      const { session_id: sessionId, reason, by, at } = notice;
      if (session?.id !== sessionId) return;
      // The tab that renewed it tells the other tabs, or the cookie shows it.
      if (reason === 'renewed' && isShared) {
        renewedId = sessionId;
        if (isCookie) await ask();
      }
      // Ended by the session itself, but not in this page: so in another tab of this browser.
      else
        void leave({ reason, by, at, sessionId, where: by === 'self' ? 'another tab' : 'elsewhere' }, true);
    } else if (notice.type === 'sessions.changed' || notice.type === 'hello') {
      // Changes before the connection were not announced.
      tabs?.say({ t: 'changed' });
      changed();
    }
  }

  /** Runs logins and logouts one after the other. */
  function act<T>(work: () => Promise<T>): Promise<T> {
    const done = acting.then(work);
    // The queue only needs to know that it is over.
    acting = done.catch(() => undefined);
    return done;
  }

  function begin(issued: Issued, renews?: string): CurrentSession {
    carrier.take(issued);
    const next = know(currentSessionOf(issued), renews);
    tabs?.say({ t: 'in', session: next, renews });
    return next;
  }

  /** Sends a request that replaces the session, and takes the new one. */
  async function renew(request: Request): Promise<Response> {
    const was = session?.id ?? carrier.known()?.id;
    const response = await carrier.send(request, 'authority');
    if (response.ok) begin((await response.clone().json()) as Issued, was);
    return response;
  }

  async function logIn({ email, password }: { email: string; password: string }): Promise<CurrentSession> {
    await pendingLogouts.tell();
    const device = common.get('device');
    const asked = {
      email,
      password,
      transport: mode,
      client_id: clientId,
      device: device ? { id: device } : undefined,
    };
    const credentials = isCookie ? WITH_COOKIES : noCookies();
    const issued = await contentOf<Issued>(await fetch(at('/v1/login'), posted(asked, credentials)));
    common.set('device', issued.session.device_id);
    // The server ends the session of the earlier cookie. An earlier session with tokens is ended from here.
    const before = carrier.known();
    if (isCookie) pendingLogouts.drop();
    else if (before) setAside(before.id, { scope: 'this' });
    session = null;
    return begin(issued);
  }

  /** @returns the result, and a promise for the listeners */
  async function logOut({
    scope = 'this',
    sessions,
    device,
  }: LogoutOptions): Promise<[LogoutResult, Promise<unknown>?]> {
    // The server refuses unknown members, and a caller without types may pass more.
    const asked = { scope, sessions, device };
    const isHere = {
      this: true,
      all: true,
      others: false,
      selected: sessions?.includes(session?.id ?? ''),
      device: !device || device === session?.device_id,
    }[scope];
    const done = (answer?: LogoutAnswer | null): LogoutResult => ({
      local: true,
      server: 'done',
      ...(answer ?? OVER),
    });
    at('');
    let answer: LogoutAnswer | null | undefined;
    // The server may refuse a wider scope (it may require the password again); nothing has happened then.
    if (scope !== 'this') {
      try {
        answer = answerOf(await contentOf(await carrier.send(logoutRequest(at, asked), 'authority')));
      } catch (error) {
        if (!isHere || (error instanceof ProblemError && error.status < 500)) throw error;
      }
    }
    if (!isHere || session === null) return [done(answer)];
    const sessionId = session?.id ?? null;
    const telling = answer ? null : setAside(sessionId, asked);
    const heard = gone('logout', sessionId, 'here');
    // A refusal rejects `delivered`; this session is over either way.
    answer ??= await telling?.first.catch(() => null);
    return [
      telling && !answer ? { local: true, server: 'pending', sent: telling.sent } : done(answer),
      heard,
    ];
  }

  async function sessionsPage({
    before,
  }: {
    before?: string | null | undefined;
  } = {}): Promise<SessionsPage> {
    const query = before ? `?before=${encodeURIComponent(before)}` : '';
    return contentOf(await carrier.send(new Request(at(`/v1/sessions${query}`)), 'authority'));
  }

  function listen<T>(listeners: Set<T>, listener: T): () => void {
    listeners.add(listener);
    holdSocket();
    if (session === undefined) lookAfter();
    return () => {
      listeners.delete(listener);
      holdSocket();
    };
  }

  return {
    login: (credentials) => act(() => logIn(credentials)),
    async logout(asked = {}) {
      const [result, heard] = await act(() => logOut(asked));
      await heard;
      return result;
    },
    session: () => ask(),
    async sessions() {
      const all: OwnSession[] = [];
      let page: SessionsPage | undefined;
      do {
        page = await sessionsPage({ before: page?.next });
        all.push(...page.sessions);
      } while (page.next && all.length < MOST_SESSIONS);
      return all;
    },
    sessionsPage,
    async fetch(input, init) {
      const own = at('');
      // Without a page, a path is one of the authority's.
      const path = inPage || typeof input !== 'string' ? '' : input;
      const request = new Request(path.startsWith('/') ? own + path : input, init);
      const { url, method, headers } = request;
      const isTo = (address: string): boolean => isBelow(url, address);
      takeNotice();
      // The caller's own header decides; and the cookie of an ended session is not sent.
      if (headers.has('authorization') || ![own, ...carriedTo].some(isTo)) return fetch(request);
      if (isCookie && pendingLogouts.any()) return fetch(request, noCookies());
      if (method === 'POST' && RENEWING.map(at).some(isTo)) return act(() => renew(request));
      return carrier.send(request, isTo(own) ? 'authority' : 'other');
    },
    onLoggedOut: (listener) => listen(onLoggedOut, listener),
    onSessionsChanged: (listener) => listen(onSessionsChanged, listener),
    get endedBecause() {
      return because;
    },
    close() {
      stopWatching();
      notices.follow(null);
      tabs?.close();
      pendingLogouts.close();
      onLoggedOut.clear();
      onSessionsChanged.clear();
    },
  };
}
