import type { Issued, Tokens } from './carrier.ts';
import { exclusively } from './exclusive.ts';
import type { LogoutOptions, Told } from './interface.ts';
import type { Kept } from './kept.ts';
import { backoffMs } from './pause.ts';
import { ProblemError, problemOf } from './problem.ts';
import { CSRF, carrying, posted, WITH_COOKIES } from './request.ts';
import type { Holder } from './tokens.ts';

/** A logout that this browser has made true for itself and that the server may not know of. */
interface Untold {
  /** Empty when the page did not know yet which session it has. */
  sid: string;
  asked: LogoutOptions;
  tokens?: Tokens | null;
  /** Known while the page lives, and never written down. */
  csrf?: string | undefined;
  /** When it was noted, in milliseconds since 1970 by this machine's clock. */
  notedMs: number;
  /** What was asked for was refused; this session alone is still to be ended. */
  refusal?: ProblemError | undefined;
}

interface Waiting {
  untold: Untold;
  resolve: (told: Promise<Told>) => void;
}

const ANSWER_MS = 8000;
const DAY_MS = 86_400_000;
const REPEAT_AT_MOST_MS = 60_000;
/** This session was over already, or another page has told the server. */
export const OVER: Told = { ended: 0, confirmed: true, ms: 0, acknowledged: 0, waited_out: 0 };

/** This session is over. Whoever asked for more has to hear that more did not happen. */
async function onlyThis({ asked, refusal }: Untold, problem?: ProblemError): Promise<Told> {
  if (asked.scope === 'this' && !refusal) return OVER;
  const title = 'Only this session ended.';
  throw (
    refusal ?? problem ?? new ProblemError(new Response(null, { status: 401 }), { code: 'not_told', title })
  );
}

/** Whether there are rows left to mark is of no interest here: what is confirmed is over. */
export function toldOf(told: Told & { more?: boolean }): Told {
  delete told.more;
  return told;
}

export function logoutRequest(at: (path: string) => string, asked: LogoutOptions): Request {
  // Goes out even when the page goes to another one now.
  const lasting = { keepalive: true, signal: AbortSignal.timeout(ANSWER_MS) };
  return new Request(at('/v1/logout'), posted(asked, lasting));
}

interface UntoldLogouts {
  /** Whether there is any. While there is, the cookie in the jar counts for nothing. */
  any(): boolean;
  /** Notes one, at once and for good, and tries to tell it. */
  add(untold: Untold): { first: Promise<Told | null>; told: Promise<Told> };
  /** Tries to tell them all. */
  tell(): Promise<void>;
  /** A login has taken their place. */
  drop(): void;
  close(): void;
}

/**
 * They lie in localStorage, so that a reload forgets none.
 * @param sendFor sends with the tokens of a logout; without it the credential is the cookie
 * @param keepsRefresh whether a refresh token may lie there
 */
export function createUntold(
  at: (path: string) => string,
  kept: Kept,
  sendFor: ((request: Request, holder: Holder) => Promise<Response>) | undefined,
  keepsRefresh: boolean,
): UntoldLogouts {
  const waiting = new Map<string, Waiting>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;

  /** The access token that was written down has run out, and a page that may be alive has the other one in its memory. */
  const isOfAnother = ({ sid, tokens }: Untold): boolean => {
    const ranOutMs = Date.now() - (tokens?.untilMs ?? 0);
    return !tokens?.refresh && !waiting.has(sid) && ranOutMs > 0 && ranOutMs < DAY_MS;
  };

  const any = (): boolean => kept.names('out:').length > 0;
  /** A secret that lives for long is kept where its owner has allowed it, and a short-lived one otherwise. */
  const unwritten = keepsRefresh ? /^(csrf|refusal)$/ : /^(csrf|refusal|refresh)$/;
  const write = (untold: Untold): void => {
    const written = JSON.stringify(untold, (key, value) => (unwritten.test(key) ? undefined : value));
    kept.set(`out:${untold.sid}`, written);
  };

  /** Null: it is for another page to say. */
  async function deliver(untold: Untold): Promise<Told | null> {
    const holder: Holder = {
      get: () => untold.tokens ?? null,
      set(tokens) {
        untold.tokens = tokens;
        write(untold);
      },
    };
    const response = await (sendFor?.(logoutRequest(at, untold.asked), holder) ?? deliverByCookie(untold));
    if (!response || (response.ok && untold.refusal)) return onlyThis(untold);
    if (response.ok) return toldOf((await response.json()) as Told);
    const problem = await problemOf(response);
    if (response.status === 401) return isOfAnother(untold) ? null : onlyThis(untold, problem);
    // The server wants more than a credential for the other sessions. This one at least is over.
    if (problem.code !== 'csrf_failed' && problem.status < 500 && untold.asked.scope !== 'this') {
      untold.asked = { scope: 'this' };
      untold.refusal = problem;
      return deliver(untold);
    }
    throw problem;
  }

  /** The cookie cannot be set aside and may be of another login by now. The CSRF token knows, or the server is asked. */
  async function deliverByCookie(untold: Untold): Promise<Response | null> {
    const { sid, asked } = untold;
    const post = (csrf: string | undefined): Promise<Response> =>
      fetch(carrying(logoutRequest(at, asked), CSRF, csrf), WITH_COOKIES);
    if (untold.csrf) {
      const response = await post(untold.csrf);
      if ((await problemOf(response)).code !== 'csrf_failed') return response;
      untold.csrf = undefined;
    }
    const state = await fetch(at('/v1/session'), {
      ...WITH_COOKIES,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!state.ok) return state;
    const { session, csrf_token: csrf } = (await state.json()) as Issued;
    const awayMs = Date.now() - untold.notedMs;
    const serverMs = Date.parse(state.headers.get('date') ?? '') || Date.now();
    // Without a name: what has begun since is of a later login. The header counts in whole seconds.
    const isLater = Date.parse(session.created_at) > serverMs - awayMs + 1000;
    if (sid ? session.id !== sid : isLater) return null;
    return post(csrf);
  }

  /** Null: not now. */
  async function attempt(sid: string): Promise<Told | null> {
    const written = kept.read<Untold>(`out:${sid}`);
    const one = waiting.get(sid);
    // In this page more of it is known.
    const told = written ? deliver(one?.untold ?? written) : Promise.resolve(OVER);
    try {
      if (!(await told)) return null;
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status >= 500) {
        // Not reached, or not able: it stays noted.
        again();
        return null;
      }
    }
    kept.set(`out:${sid}`, null);
    waiting.delete(sid);
    one?.resolve(told as Promise<Told>);
    return told;
  }

  let again = (): void => {
    clearTimeout(timer);
    timer = setTimeout(tell, backoffMs(++tries, REPEAT_AT_MOST_MS));
    // On a server it does not keep the process.
    (timer as { unref?: () => void }).unref?.();
  };

  async function tell(): Promise<void> {
    // A refusal has been given to whoever waits for it.
    for (const sid of new Set([...kept.names('out:'), ...waiting.keys()]))
      await exclusively(kept, 'tell', () => attempt(sid)).catch(() => undefined);
    if (!any()) tries = 0;
  }

  return {
    any,
    add(untold) {
      const told = new Promise<Told>((resolve) => {
        waiting.set(untold.sid, { untold, resolve });
      });
      // Whoever does not look at it is not to be troubled by it.
      told.catch(() => undefined);
      write(untold);
      // Goes out before anything else happens: the page may be about to leave.
      return { first: attempt(untold.sid), told };
    },
    tell,
    drop() {
      for (const sid of kept.names('out:')) kept.set(`out:${sid}`, null);
      for (const { untold, resolve } of waiting.values()) resolve(onlyThis(untold));
      waiting.clear();
    },
    close() {
      again = () => undefined;
      clearTimeout(timer);
    },
  };
}
