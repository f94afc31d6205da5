import { authenticate } from '../actions/authenticate.ts';
import type { IssuedTokens } from '../actions/issue-tokens.ts';
import type { LoginOutcome } from '../actions/log-in.ts';
import { logOut } from '../actions/log-out.ts';
import { endNamed } from '../actions/end-named.ts';
import { actOf, type World } from '../world/world.ts';
import { userActor } from '../domain/actor.ts';
import { atMost } from '../system/timers.ts';
import { deletionsOfDead, isForeignPage, originOf, presented, sessionCallerToChange } from './callers.ts';
import { clearCookies, clearElsewhere, setCookie } from './cookies.ts';
import { type Presented, readCredential } from '../domain/presented.ts';
import type { Call } from './environment.ts';
import { propagationHeader } from './respond.ts';

/*
 * Contract 004: the session in a cookie. It shares /auth/login and /auth/logout with contract 001.
 */

export function cookieDetail(
  c: Call,
  status: 400 | 401 | 403 | 500,
  code: string,
  message: string,
): Response {
  return c.json({ detail: { error_code: code, message } }, status);
}

/**
 * Logs in and sets the cookie. A login from another site's page is refused: it would put the visitor into somebody
 * else's account (login CSRF). A session that the browser had before is ended, never taken over.
 */
export async function startCookieSession(
  c: Call,
  start: () => Promise<LoginOutcome>,
): Promise<LoginOutcome | { outcome: 'foreign_page' }> {
  if (isForeignPage(c)) {
    const { refusals, system } = c.get('world');
    refusals.note('csrf_refused', null, originOf(c, 'cookie'), { code: 'csrf_failed' });
    system.log.warn(
      { ip_address: c.get('ipAddress'), request_id: c.get('requestId') },
      "a login from another site's page was refused",
    );
    return { outcome: 'foreign_page' };
  }
  const started = await start();
  if (started.outcome !== 'started') return started;
  await endEarlier(c);
  giveCookie(c, started.tokens);
  return started;
}

/** Sets the cookie of a session that was opened with one. */
export function giveCookie(c: Call, { cookie }: IssuedTokens): void {
  const { config } = c.get('world');
  if (cookie === undefined) return;
  c.header('set-cookie', setCookie(config.cookie, cookie));
  for (const deletion of clearElsewhere(config.cookie)) c.header('set-cookie', deletion, { append: true });
}

async function endEarlier(c: Call): Promise<void> {
  const world = c.get('world');
  const before = presented(c);
  if (before.via !== 'cookie' || !before.credential) return;
  const earlier = await authenticate(world, before.credential, false);
  if (!earlier) return;
  const act = actOf(world, originOf(c, 'cookie'), userActor(earlier.userId, earlier.sid));
  await endNamed(world, [earlier.sid], earlier.userId, act, 'replaced_by_login');
}

export const invalidScope = (c: Call): Response =>
  cookieDetail(c, 400, 'INVALID_SCOPE', 'scope must be this, all or others');

const SCOPES = ['this', 'all', 'others'] as const;

/** `POST /auth/logout` with the cookie. A failure is thrown to the shared path's answer. */
export async function logOutCookie(c: Call, from: Presented): Promise<Response> {
  const world = c.get('world');
  const caller = await sessionCallerToChange(c, from);
  if (caller.kind === 'refused') {
    return caller.code === 'csrf_failed'
      ? cookieDetail(
          c,
          403,
          'CSRF_FAILED',
          'The request must come from a trusted origin and carry X-CSRF-Token',
        )
      : cookieDetail(c, 401, 'NOT_AUTHENTICATED', 'Not authenticated');
  }
  const scopes = c.req.queries('scope') ?? ['this'];
  const scope = SCOPES.find((name) => scopes.length === 1 && name === scopes[0]);
  if (!scope) return invalidScope(c);

  const settled = await logOut(world, caller.session, { scope }, originOf(c, 'cookie'));
  await audited(world);
  if (scope !== 'others') clearFromBrowser(c);
  return c.json({ message: 'Logout successful' }, 200, propagationHeader(c, settled));
}

/** After a logout: deletes the cookie wherever it may lie, and what else is to go. */
export function clearFromBrowser(c: Call): void {
  const { cookie } = c.get('world').config;
  for (const deletion of clearCookies(cookie)) c.header('set-cookie', deletion, { append: true });
  if (cookie.clearSiteData.length > 0)
    c.header('clear-site-data', cookie.clearSiteData.map((what) => `"${what}"`).join(', '));
}

/** After an ending that was asked for otherwise: deletes a cookie that came along, where its session is over now too. */
export async function clearIfOver(c: Call): Promise<void> {
  for (const deletion of await deletionsIfOver(c)) c.header('set-cookie', deletion, { append: true });
}

/** The same, for an answer that is there already. */
export async function deletionsIfOver(c: Call): Promise<string[]> {
  const world = c.get('world');
  const from = readCredential(undefined, c.req.header('cookie'), world.config.cookie.name);
  if (from.via !== 'cookie' || !from.credential) return [];
  try {
    return (await authenticate(world, from.credential, false)) ? [] : await deletionsOfDead(world, from);
  } catch (err) {
    // The ending is true whatever becomes of this cookie, which the next request will be told about.
    world.system.log.warn({ err }, 'a cookie that came along with a logout could not be looked at');
    return [];
  }
}

/** How long the answer waits for its row in `logs`; the row comes in any case, from the log. */
const AUDIT_WAIT_MS = 200;

/** Contract 004: the row is there when the answer is. If it cannot be written the session has ended all the same. */
async function audited(world: World): Promise<void> {
  // The reader has said in the system log what failed, and tries again.
  await atMost(
    world.system,
    AUDIT_WAIT_MS,
    world.readers.audit.catchUp().catch(() => undefined),
    undefined,
  );
}
