import type { SessionCaller } from '../actions/admit.ts';
import { authenticate } from '../actions/authenticate.ts';
import type { IssuedTokens } from '../actions/issue-tokens.ts';
import type { LoginInput, LoginOutcome } from '../actions/log-in.ts';
import { logInWithCookie } from '../actions/log-in-with-cookie.ts';
import { wasReplaced } from '../actions/why-ended.ts';
import type { World } from '../world/world.ts';
import { type Presented, readCredential } from '../domain/presented.ts';
import { requestFactsOf, contextOf } from './callers.ts';
import { clearCookies, clearElsewhere, setCookie } from './set-cookie.ts';
import type { Call } from './environment.ts';

/* The session cookie in answers: when it is set, and when it is deleted. */

/** Logs in and sets the cookie. */
export async function logInGivingCookie(
  c: Call,
  input: LoginInput,
): Promise<LoginOutcome | { outcome: 'foreign_page' }> {
  const outcome = await logInWithCookie(
    c.get('world'),
    requestFactsOf(c),
    input,
    contextOf(c, input.contract),
  );
  if (outcome.outcome === 'started') giveCookie(c, outcome.tokens);
  return outcome;
}

/** Sets the cookie of a session that was opened with one. */
export function giveCookie(c: Call, { cookie }: IssuedTokens): void {
  const { config } = c.get('world');
  if (cookie === undefined) return;
  c.header('set-cookie', setCookie(config.cookie, cookie));
  for (const deletion of clearElsewhere(config.cookie)) c.header('set-cookie', deletion, { append: true });
}

/** Deletes a dead cookie, which the browser would otherwise send until it is closed. */
export async function deleteDeadCookie(c: Call, from: Presented): Promise<void> {
  for (const deletion of await deletionsOfDead(c.get('world'), from))
    c.header('set-cookie', deletion, { append: true });
}

/**
 * The deletions for a cookie that was found dead; none for a foreign text, nor for two cookies, of which one may be alive. None
 * either where the browser was given another cookie for it: that one may have arrived already, and this older answer would delete
 * it.
 */
export async function deletionsOfDead(world: World, from: Presented): Promise<string[]> {
  if (from.via !== 'cookie' || !from.credential || (await wasReplaced(world, from.credential))) return [];
  return clearCookies(world.config.cookie);
}

/** After a logout: deletes the cookie in all its places, and what else is configured. */
export function clearFromBrowser(c: Call): void {
  const { cookie } = c.get('world').config;
  for (const deletion of clearCookies(cookie)) c.header('set-cookie', deletion, { append: true });
  if (cookie.clearSiteData.length > 0)
    c.header('clear-site-data', cookie.clearSiteData.map((what) => `"${what}"`).join(', '));
}

/** After the user's own logout. @param endsOwn whether the caller's session is over */
export async function clearAfterLogout(c: Call, caller: SessionCaller, endsOwn: boolean): Promise<void> {
  if (caller.via === 'header') await clearIfOver(c);
  else if (endsOwn) clearFromBrowser(c);
}

/** After another ending: deletes the request's cookie if its session is over now too. */
export async function clearIfOver(c: Call): Promise<void> {
  for (const deletion of await deletionsIfOver(c)) c.header('set-cookie', deletion, { append: true });
}

/** Does so in an answer that exists already. */
export async function deletionsIfOver(c: Call): Promise<string[]> {
  const world = c.get('world');
  const from = readCredential(undefined, c.req.header('cookie'), world.config.cookie.name);
  if (from.via !== 'cookie' || !from.credential) return [];
  try {
    return (await authenticate(world, from.credential, false)) ? [] : await deletionsOfDead(world, from);
  } catch (err) {
    // The ending stands whatever happens to this cookie; the next request is told about it.
    world.system.log.warn({ err }, 'could not check the cookie of a logout request');
    return [];
  }
}
