import type { Issued, Tokens } from './carrier.ts';
import { exclusively } from './exclusive.ts';
import type { LogoutOptions, LogoutAnswer } from './interface.ts';
import type { Kept } from './kept.ts';
import { backoffMs } from './pause.ts';
import { ProblemError, problemOf } from './problem.ts';
import { CSRF, carrying, posted, WITH_COOKIES } from './request.ts';
import type { Holder } from './renewal.ts';

/** A logout that is done in this browser, and that the server may not know of. */
interface PendingLogout {
  /** Empty when the page did not know its session yet. */
  sid: string;
  asked: LogoutOptions;
  tokens?: Tokens | null;
  /** Kept in memory only, never stored. */
  csrf?: string | undefined;
  /** When it was recorded, in milliseconds since 1970 by this machine's clock. */
  notedMs: number;
  /** The wider scope was refused; this session alone is still to be ended. */
  refusal?: ProblemError | undefined;
}

type Waiting = [logout: PendingLogout, resolve: (answer: Promise<LogoutAnswer>) => void];

const ANSWER_MS = 8000;
const DAY_MS = 86_400_000;
const REPEAT_AT_MOST_MS = 60_000;
/** This session was over already, or another page has told the server. */
export const OVER: LogoutAnswer = { ended: 0, confirmed: true, ms: 0, acknowledged: 0, waited_out: 0 };

/** This session is over. A caller that asked for more must learn that the rest was refused. */
async function onlyThis({ asked, refusal }: PendingLogout, problem?: ProblemError): Promise<LogoutAnswer> {
  if (asked.scope === 'this' && !refusal) return OVER;
  const title = 'Only this session ended. Try again.';
  throw (
    refusal ?? problem ?? new ProblemError(new Response(null, { status: 401 }), { code: 'not_told', title })
  );
}

/** Leaves `more` out: sessions whose rows are still to be marked are over already. */
export function answerOf(answer: LogoutAnswer & { more?: boolean }): LogoutAnswer {
  delete answer.more;
  return answer;
}

export function logoutRequest(at: (path: string) => string, asked: LogoutOptions): Request {
  // Sent even when the page is left now.
  const lasting = { keepalive: true, signal: AbortSignal.timeout(ANSWER_MS) };
  return new Request(at('/v1/logout'), posted(asked, lasting));
}

interface PendingLogouts {
  /** Whether there is one. Until the server is answer, the cookie counts as absent. */
  any(): boolean;
  /** Records a logout durably, and tries to tell the server. */
  add(logout: PendingLogout): { first: Promise<LogoutAnswer | null>; sent: Promise<LogoutAnswer> };
  /** Tries to tell the server all of them. */
  tell(): Promise<void>;
  /** A login has replaced them. */
  drop(): void;
  close(): void;
}

/**
 * Logouts to tell the server, in localStorage, so that a reload loses none.
 * @param sendFor sends with the tokens of a logout; without it the credential is the cookie
 * @param keepsRefresh whether a refresh token may be stored there
 */
export function createPendingLogouts(
  at: (path: string) => string,
  kept: Kept,
  sendFor: ((request: Request, holder: Holder) => Promise<Response>) | undefined,
  keepsRefresh: boolean,
): PendingLogouts {
  const waiting = new Map<string, Waiting>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;

  /** The stored access token has expired, and a page that may be open has the refresh token in memory. */
  const isOfAnother = ({ sid, tokens }: PendingLogout): boolean => {
    const ranOutMs = Date.now() - (tokens?.untilMs ?? 0);
    return !tokens?.refresh && !waiting.has(sid) && ranOutMs > 0 && ranOutMs < DAY_MS;
  };

  const any = (): boolean => kept.names('out:').length > 0;
  /** A long-lived secret is stored only where the application has allowed it; a short-lived one otherwise. */
  const unwritten = keepsRefresh ? /^(csrf|refusal)$/ : /^(csrf|refusal|refresh)$/;
  const write = (logout: PendingLogout): void => {
    const written = JSON.stringify(logout, (key, value) => (unwritten.test(key) ? undefined : value));
    kept.set(`out:${logout.sid}`, written);
  };

  /** Null: another page will send it. */
  async function deliver(logout: PendingLogout): Promise<LogoutAnswer | null> {
    const holder: Holder = {
      get: () => logout.tokens ?? null,
      set(tokens) {
        logout.tokens = tokens;
        write(logout);
      },
    };
    const response = await (sendFor?.(logoutRequest(at, logout.asked), holder) ?? deliverByCookie(logout));
    if (!response || (response.ok && logout.refusal)) return onlyThis(logout);
    if (response.ok) return answerOf((await response.json()) as LogoutAnswer);
    const problem = await problemOf(response);
    if (response.status === 401) return isOfAnother(logout) ? null : onlyThis(logout, problem);
    // The server requires more than a credential for the other sessions. It can end this one at least.
    if (problem.code !== 'csrf_failed' && problem.status < 500 && logout.asked.scope !== 'this') {
      logout.asked = { scope: 'this' };
      logout.refusal = problem;
      return deliver(logout);
    }
    throw problem;
  }

  /** The cookie cannot be stored and may belong to another login by now: the CSRF token shows it, or the server is asked. */
  async function deliverByCookie(logout: PendingLogout): Promise<Response | null> {
    const { sid, asked } = logout;
    const post = (csrf: string | undefined): Promise<Response> =>
      fetch(carrying(logoutRequest(at, asked), CSRF, csrf), WITH_COOKIES);
    if (logout.csrf) {
      const response = await post(logout.csrf);
      if ((await problemOf(response)).code !== 'csrf_failed') return response;
      logout.csrf = undefined;
    }
    const state = await fetch(at('/v1/session'), {
      ...WITH_COOKIES,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!state.ok) return state;
    const { session, csrf_token: csrf } = (await state.json()) as Issued;
    const awayMs = Date.now() - logout.notedMs;
    const serverMs = Date.parse(state.headers.get('date') ?? '') || Date.now();
    // Without an id: a later session belongs to a later login. The header counts whole seconds.
    const isLater = Date.parse(session.created_at) > serverMs - awayMs + 1000;
    if (sid ? session.id !== sid : isLater) return null;
    return post(csrf);
  }

  /** Null: not now. */
  async function attempt(sid: string): Promise<LogoutAnswer | null> {
    const written = kept.read<PendingLogout>(`out:${sid}`);
    const [waits, resolve] = waiting.get(sid) ?? [];
    // This page's memory holds more of it.
    const answer = written ? deliver(waits ?? written) : Promise.resolve(OVER);
    try {
      if (!(await answer)) return null;
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status >= 500) {
        // Not reached: it stays recorded.
        again();
        return null;
      }
    }
    kept.set(`out:${sid}`, null);
    waiting.delete(sid);
    resolve?.(answer as Promise<LogoutAnswer>);
    return answer;
  }

  let again = (): void => {
    clearTimeout(timer);
    timer = setTimeout(tell, backoffMs(++tries, REPEAT_AT_MOST_MS));
    // On a server the timer does not keep the process alive.
    (timer as { unref?: () => void }).unref?.();
  };

  async function tell(): Promise<void> {
    // A refusal has rejected the callers' promise.
    for (const sid of new Set([...kept.names('out:'), ...waiting.keys()]))
      await exclusively(kept, 'tell', () => attempt(sid)).catch(() => undefined);
    if (!any()) tries = 0;
  }

  return {
    any,
    add(logout) {
      const sent = new Promise<LogoutAnswer>((resolve) => {
        waiting.set(logout.sid, [logout, resolve]);
      });
      // No unhandled rejection for a caller that ignores it.
      sent.catch(() => undefined);
      write(logout);
      // Sent before anything else: the page may be about to be left.
      return { first: attempt(logout.sid), sent };
    },
    tell,
    drop() {
      for (const sid of kept.names('out:')) kept.set(`out:${sid}`, null);
      for (const [logout, resolve] of waiting.values()) resolve(onlyThis(logout));
      waiting.clear();
    },
    close() {
      again = () => undefined;
      clearTimeout(timer);
    },
  };
}
