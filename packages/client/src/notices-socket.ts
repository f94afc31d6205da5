import type { Notice } from '@curfew/protocol/notices';
import { isOffline } from './addresses.ts';
import type { Kept } from './kept.ts';
import { backoffMs, pause } from './pause.ts';

/** The `readyState` of an open WebSocket. */
const OPEN = 1;
/** The session has ended: do not reconnect. */
const ENDED = 4401;
/** The server refused a message of this client, and would refuse it again. */
const PROTOCOL = 1008;
const TOO_MUCH = 1013;
const RECONNECT_AT_MOST_MS = 30_000;
/** A connection that lasted this long was good: the next may come soon. */
const LASTED_MS = 10_000;
const TOO_MUCH_TRIES = 5;
const TAKE_OVER_MS = 40;

interface Notices {
  /** Follows the notices of a session; null stops. */
  follow(sid: string | null): void;
  /** Reconnects: the connection may be dead without a sign. */
  restart(): void;
}

/**
 * One socket for all tabs with the same session where there are Web Locks, else one for each tab. It reconnects after random
 * pauses, so that not everybody returns to a restarted node at once.
 * @param ask asks the server for the session; throws when the server cannot be reached
 */
export function createNoticesSocket(
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
      // To close it while it opens would log an error in the browser's console.
      socket.onopen = () => socket?.close();
      if (socket.readyState === OPEN) socket.close();
    });

    const later = (): void => {
      if (!signal.aborted) timer = setTimeout(again, backoffMs(tries++, RECONNECT_AT_MOST_MS));
    };
    /** A page cannot tell a refused handshake from a broken line, so it asks where the answer is readable. */
    const again = (): void => {
      // The return of the network has its own event; and a server that cannot be asked cannot be connected to.
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
      let heardEnd = false;
      socket.onmessage = ({ data }) => {
        if (signal.aborted) return;
        // A newer server may say more: what is not known here is passed over.
        const notice = JSON.parse(String(data)) as Notice;
        heardEnd ||= notice.type === 'session.ended';
        on.notice(notice);
      };
      socket.onclose = ({ code }) => {
        if (signal.aborted || code === PROTOCOL) return;
        // The reason came before; if it was lost, the session can be asked for it.
        if (code === ENDED) return heardEnd ? undefined : void on.ask().catch(later);
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
        // Stopped while waiting for the lock: the browser would grant it all the same, and for ever.
        if (signal.aborted) return done();
        signal.onabort = () => done();
        keepOpen(signal);
      });
    // The tab that had the socket may still be reading why it was closed.
    const takeOver = (): Promise<void> => pause(TAKE_OVER_MS).then(run);
    // Held while this tab has the socket. An abort while waiting is not a failure.
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
