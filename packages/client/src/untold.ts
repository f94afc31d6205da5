import type { Issued, Tokens } from './carrier.ts';
import { exclusively } from './exclusive.ts';
import type { LogoutOptions, Told } from './interface.ts';
import type { Kept } from './kept.ts';
import { backoffMs } from './pause.ts';
import { ProblemError, problemOf } from './problem.ts';
import type { Holder } from './tokens.ts';

/** A logout that this browser has made true for itself and that the server may not know of. */
export interface Untold {
  /** Empty when the page did not know yet which session it has. */
  sid: string;
  asked: LogoutOptions;
  tokens?: Tokens | undefined;
  /** Known while the page lives, and never written down. */
  csrf?: string | undefined;
  /** When it was noted, in milliseconds since 1970 by this machine's clock. */
  notedMs?: number;
  /** What was asked for was refused; this session alone is still to be ended. */
  refusal?: ProblemError | undefined;
}

interface Waiting {
  untold: Untold;
  resolve: (told: Told) => void;
  reject: (error: unknown) => void;
}

const ANSWER_MS = 8000;
const REPEAT_AT_MOST_MS = 60_000;
/** This session was over already, or another page has told the server. */
export const OVER: Told = { ended: 0, confirmed: true, ms: 0, acknowledged: 0, waitedOut: 0 };

export const toldOf = ({ ended, confirmed, ms, acknowledged, waitedOut }: Told): Told => ({
  ended,
  confirmed,
  ms,
  acknowledged,
  waitedOut,
});

/** This session is over. Whoever asked for more has to hear that more did not happen. */
function onlyThis({ asked, refusal }: Untold, problem?: ProblemError): Told {
  const isAll = (asked.scope ?? 'this') === 'this';
  if (isAll && !refusal) return OVER;
  const title = 'This session is over; the others could not be ended with it.';
  throw (
    refusal ?? problem ?? new ProblemError(new Response(null, { status: 401 }), { code: 'not_told', title })
  );
}

export function logoutRequest(
  authority: string,
  // The server takes no others, and an application may hand over more than the type says.
  { scope, sessions, device }: LogoutOptions,
  csrf?: string,
): Request {
  return new Request(`${authority}/v1/logout`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(csrf ? { 'x-csrf-token': csrf } : {}) },
    body: JSON.stringify({ scope, sessions, device }),
    // Goes out even when the page goes to another one now.
    keepalive: true,
    signal: AbortSignal.timeout(ANSWER_MS),
  });
}

export interface UntoldLogouts {
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
  authority: string,
  kept: Kept,
  sendFor: ((request: Request, holder: Holder) => Promise<Response>) | null,
  keepsRefresh: boolean,
): UntoldLogouts {
  const waiting = new Map<string, Waiting>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  let closed = false;

  const read = (sid: string): Untold | null => {
    const written = kept.read<Untold>(`out:${sid}`);
    // In this page more of it is known.
    return written && (waiting.get(sid)?.untold ?? written);
  };
  const write = (untold: Untold): void => {
    const { tokens } = untold;
    kept.set(
      `out:${untold.sid}`,
      JSON.stringify({
        ...untold,
        csrf: undefined,
        refusal: undefined,
        // A secret that lives for long is kept where its owner has allowed it, and a short-lived one otherwise.
        ...(tokens && !keepsRefresh ? { tokens: { ...tokens, refresh: '' } } : {}),
      }),
    );
  };

  async function deliver(untold: Untold): Promise<Told> {
    const response = await (sendFor ? deliverByToken(untold, sendFor) : deliverByCookie(untold));
    if (response === null) return onlyThis(untold);
    if (response.ok) {
      const told = toldOf((await response.json()) as Told);
      return untold.refusal ? onlyThis(untold) : told;
    }
    const problem = await problemOf(response);
    if (response.status === 401) return onlyThis(untold, problem);
    // The server wants more than a credential for the other sessions. This one at least is over.
    if (problem.code !== 'csrf_failed' && problem.status < 500 && untold.asked.scope !== 'this') {
      untold.asked = { scope: 'this' };
      untold.refusal = problem;
      return deliver(untold);
    }
    throw problem;
  }

  function deliverByToken(untold: Untold, send: NonNullable<typeof sendFor>): Promise<Response> {
    const holder: Holder = {
      get: () => untold.tokens ?? null,
      set(tokens) {
        untold.tokens = tokens ?? undefined;
        write(untold);
      },
    };
    return send(logoutRequest(authority, untold.asked), holder);
  }

  /** The cookie cannot be set aside and may be of another login by now. The CSRF token knows, or the server is asked. */
  async function deliverByCookie(untold: Untold): Promise<Response | null> {
    const { sid, asked } = untold;
    const post = (csrf: string | undefined): Promise<Response> =>
      fetch(new Request(logoutRequest(authority, asked, csrf), { credentials: 'include' }));
    if (untold.csrf) {
      const response = await post(untold.csrf);
      if ((await problemOf(response)).code !== 'csrf_failed') return response;
      untold.csrf = undefined;
    }
    const state = await fetch(`${authority}/v1/session`, {
      credentials: 'include',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!state.ok) return state;
    const { session, csrf_token: csrf } = (await state.json()) as Issued;
    const awayMs = Date.now() - (untold.notedMs ?? 0);
    const serverMs = Date.parse(state.headers.get('date') ?? '') || Date.now();
    // Without a name: what has begun since is of a later login. The header counts in whole seconds.
    const isLater = Date.parse(session.created_at) > serverMs - awayMs + 1000;
    if (sid ? session.id !== sid : isLater) return null;
    return post(csrf);
  }

  /** Null: not now. */
  async function attempt(sid: string): Promise<Told | null> {
    const untold = read(sid);
    const one = waiting.get(sid);
    const settled = (): void => {
      kept.set(`out:${sid}`, null);
      waiting.delete(sid);
    };
    try {
      const told = untold ? await deliver(untold) : OVER;
      settled();
      one?.resolve(told);
      return told;
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status >= 500) {
        // Not reached, or not able: it stays noted.
        again();
        return null;
      }
      settled();
      one?.reject(error);
      throw error;
    }
  }

  function again(): void {
    if (closed) return;
    clearTimeout(timer);
    timer = setTimeout(() => void tell(), backoffMs(++tries, REPEAT_AT_MOST_MS));
  }

  async function tell(): Promise<void> {
    // A refusal has been given to whoever waits for it.
    for (const sid of new Set([...kept.names('out:'), ...waiting.keys()]))
      await exclusively(kept, 'tell', () => attempt(sid)).catch(() => undefined);
    if (kept.names('out:').length === 0) tries = 0;
  }

  return {
    any: () => kept.names('out:').length > 0,
    add(untold) {
      const told = new Promise<Told>((resolve, reject) => {
        waiting.set(untold.sid, { untold, resolve, reject });
      });
      // Whoever does not look at it is not to be troubled by it.
      told.catch(() => undefined);
      untold.notedMs = Date.now();
      write(untold);
      // Goes out before anything else happens: the page may be about to leave.
      return { first: attempt(untold.sid), told };
    },
    tell,
    drop() {
      for (const sid of kept.names('out:')) kept.set(`out:${sid}`, null);
      for (const { untold, resolve, reject } of waiting.values())
        try {
          resolve(onlyThis(untold));
        } catch (error) {
          reject(error);
        }
      waiting.clear();
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
