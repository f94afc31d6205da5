import { isOffline } from './addresses.ts';
import { type Issued, currentSessionOf, type Tokens } from './carrier.ts';
import { exclusively, isMarked, mark } from './exclusive.ts';
import type { Kept } from './kept.ts';
import { pause } from './pause.ts';
import { contentOf, type ProblemError, problemOf, refusesCredential } from './problem.ts';
import { carrying, noCookies, posted } from './request.ts';

/** Where tokens are stored; other tabs may write there too. */
export interface Holder {
  get(): Tokens | null;
  set(tokens: Tokens | null): void;
}

/** Refresh when a tenth of the token's life is left, so that it does not expire under way. */
const RENEW_AT = 0.9;
const ANSWER_MS = 4000;
/** How long a refresh without an answer is repeated: the server returns the same successor for the same token meanwhile. */
const REPEAT_AFTER_MS = [200, 800];
const REPEAT_WITHIN_MS = 6000;

const spentName = ({ session, nth }: Tokens): string => `spent:${session.id}:${nth}`;

export const tokensOf = (issued: Issued, nth = 0): Tokens => ({
  nth,
  access: issued.access_token,
  refresh: issued.refresh_token,
  untilMs: Date.now() + issued.expires_in * 1000 * RENEW_AT,
  session: currentSessionOf(issued),
});

/** Tokens that have not expired by this machine's clock. */
export async function freshTokens(renewal: Renew, holder: Holder): Promise<Tokens | null> {
  const tokens = holder.get();
  return tokens && tokens.untilMs <= Date.now() ? renewal(holder, tokens) : tokens;
}

/** Sends a request with a token, and once more with a new one when the first is refused. */
export async function sendWithToken(request: Request, renewal: Renew, holder: Holder): Promise<Response> {
  const tokens = await freshTokens(renewal, holder);
  if (!tokens) return fetch(request);
  const again = request.clone();
  const response = await fetch(bearing(request, tokens));
  if (!(await refusesCredential(response))) return response;
  const renewed = await renewal(holder, tokens);
  return renewed ? fetch(bearing(again, renewed)) : response;
}

const bearing = (request: Request, { access }: Tokens): Request =>
  carrying(request, 'authorization', `Bearer ${access}`);

/** Returns the successors of these tokens; null when the session is over. */
export type Renew = (holder: Holder, used: Tokens) => Promise<Tokens | null>;

/**
 * One renewal at a time, across all tabs. A second tab takes the successor that the first one stored: to send the spent token
 * again would end the session after the server's grace.
 */
export function createRenewal(
  at: (path: string) => string,
  kept: Kept,
  onOver: (holder: Holder, used: Tokens, problem: ProblemError) => void,
): Renew {
  const flights: Record<string, Promise<Tokens | null>> = {};

  async function renew(holder: Holder, used: Tokens): Promise<Tokens | null> {
    const held = holder.get();
    if (held?.session.id !== used.session.id) return null;
    if (held.access !== used.access) return held;
    // Tokens that another tab has just stored may not have arrived here yet.
    if (await isMarked(kept, spentName(held))) {
      await pause(5);
      return renew(holder, used);
    }
    if (!held.refresh) return null;
    const response = await askForTokens(at('/v1/refresh'), held.refresh);
    const now = holder.get();
    // Logged out, or overtaken, while the request was under way: the answer is useless, or older than what is stored.
    if (now?.refresh !== held.refresh) return now;
    if (response.status === 401) {
      onOver(holder, held, await problemOf(response));
      return null;
    }
    const issued = await contentOf<Issued>(response);
    const tokens = tokensOf(issued, held.nth + 1);
    holder.set(tokens);
    mark(kept, spentName(held));
    return tokens;
  }

  return (holder, used) => {
    const name = `refresh:${used.session.id}`;
    return (flights[name] ??= exclusively(kept, name, () => renew(holder, used)).finally(
      () => delete flights[name],
    ));
  };
}

async function askForTokens(url: string, refresh: string): Promise<Response> {
  const beganMs = Date.now();
  // The machine may have slept: after the grace the spent token would be taken for a stolen one.
  const isLate = (): boolean => Date.now() - beganMs > REPEAT_WITHIN_MS;
  for (let nth = 0; ; nth++) {
    const waitMs = REPEAT_AFTER_MS[nth];
    try {
      const response = await fetch(
        url,
        posted({ refresh_token: refresh }, { ...noCookies(), signal: AbortSignal.timeout(ANSWER_MS) }),
      );
      if (response.status < 500 || waitMs === undefined) return response;
    } catch (error) {
      if (waitMs === undefined || isOffline() || isLate()) throw error;
    }
    await pause(waitMs);
    if (isLate()) throw new TypeError('timed out');
  }
}
