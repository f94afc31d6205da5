import { isOffline } from './authority.ts';
import type { LoggedOut } from './interface.ts';
import type { Kept } from './kept.ts';
import { backoffMs, pause } from './pause.ts';

/** What `GET /v1/notices` says. What is not known here is passed over: a newer server may say more. */
export type Notice =
  | { type: 'hello'; session_id: string }
  | ({ type: 'session.ended'; session_id: string } & Pick<LoggedOut, 'reason' | 'by' | 'at'>)
  | { type: 'sessions.changed' };

/** Of a WebSocket. */
const OPEN = 1;
/** The session has ended: nothing to come back for. */
const ENDED = 4401;
/** We have done something that the server does not take. It would not take it again either. */
const PROTOCOL = 1008;
const TOO_MUCH = 1013;
const RECONNECT_AT_MOST_MS = 30_000;
/** A connection that lasted so long was a good one, and the next may come soon. */
const LASTED_MS = 10_000;
const TOO_MUCH_TRIES = 5;
const TAKE_OVER_MS = 40;

interface Notices {
  /** Follows what is said about this session; null: about none. */
  follow(sid: string | null): void;
  /** Begins anew: the connection may be dead without anybody having noticed. */
  restart(): void;
}

/**
 * One socket for all tabs with the same session, where there are Web Locks to agree by, else one for each. It comes
 * back by itself, at random moments, so that a node that has restarted is not met by everybody at once.
 * @param ask asks how the session stands and answers it when it is alive; throws when that cannot be told
 */
export function createNotices(
  at: (path: string) => string,
  kept: Kept,
  on: {
    notice: (notice: Notice) => unknown;
    ask: () => Promise<object | null>;
    subprotocols: () => Promise<string[]>;
  },
): Notices {
  let following: string | null = null;
  let over: AbortController | undefined;

  function keepOpen(signal: AbortSignal): void {
    let socket: WebSocket | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let tries = 0;
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      if (!socket) return;
      // Closed while it opens, the browser would call it an error in front of everybody.
      socket.onopen = () => socket?.close();
      if (socket.readyState === OPEN) socket.close();
    });

    const later = (): void => {
      if (!signal.aborted) timer = setTimeout(again, backoffMs(tries++, RECONNECT_AT_MOST_MS));
    };
    /** A refused handshake looks like a broken line to a page, so the question is put where the answer can be read. */
    const again = (): void => {
      // Word of the network's return comes by itself. And who cannot be asked cannot be reached either.
      if (!isOffline())
        on.ask()
          .then((session) => session && connect())
          .catch(later);
    };
    const connect = async (): Promise<void> => {
      const offered = await on.subprotocols();
      if (signal.aborted) return;
      const openedMs = Date.now();
      socket = new WebSocket(at('/v1/notices').replace('http', 'ws'), ['curfew.notices.v1', ...offered]);
      let toldWhy = false;
      socket.onmessage = ({ data }) => {
        if (signal.aborted) return;
        const notice = JSON.parse(String(data)) as Notice;
        toldWhy ||= notice.type === 'session.ended';
        on.notice(notice);
      };
      socket.onclose = ({ code }) => {
        if (signal.aborted || code === PROTOCOL) return;
        // The reason is said before; if that got lost, it can be asked for.
        if (code === ENDED) return toldWhy ? undefined : void on.ask().catch(later);
        if (code === TOO_MUCH) tries = Math.max(tries, TOO_MUCH_TRIES);
        else if (Date.now() - openedMs > LASTED_MS) tries = 0;
        later();
      };
    };
    connect().catch(later);
  }

  function follow(sid: string | null): void {
    if (sid === following) return;
    following = sid;
    over?.abort();
    if (sid === null) return;
    over = new AbortController();
    const { signal } = over;
    const run = (): Promise<void> =>
      new Promise((done) => {
        // Stopped while the lock was on its way: the browser hands it over all the same, and would for ever.
        if (signal.aborted) return done();
        signal.onabort = () => done();
        keepOpen(signal);
      });
    // Whoever has it from another tab may still be about to hear why that one let go.
    const takeOver = (): Promise<void> => pause(TAKE_OVER_MS).then(run);
    // Held as long as this tab is the one with the socket. Being stopped while waiting is no failure.
    if (kept.locks)
      kept.locks.request(`${kept.prefix}notices:${sid}`, { signal }, takeOver).catch(() => undefined);
    else void run();
  }

  return {
    follow,
    restart() {
      const sid = following;
      follow(null);
      follow(sid);
    },
  };
}
