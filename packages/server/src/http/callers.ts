import { timingSafeEqual } from 'node:crypto';
import { isForCurfew, mayAdminister } from '../domain/audience.ts';
import { authenticate } from '../actions/authenticate.ts';
import { wasReplaced } from '../actions/why-ended.ts';
import type { Origin, World } from '../world/world.ts';
import { userActor } from '../domain/actor.ts';
import { isTrustedOrigin } from '../domain/origin.ts';
import { plainName } from '../domain/plain-name.ts';
import type { RefusalType } from '../domain/refusal.ts';
import type { Contract, LiveSession } from '../domain/session.ts';
import { type Credential, csrfToken, hashSecret } from '../domain/tokens.ts';
import { clearCookies } from './cookies.ts';
import { type Presented, readCredential } from '../domain/presented.ts';
import type { Call } from './environment.ts';

/** Who calls with a live session, and how the request came to say so. */
export interface SessionCaller {
  kind: 'session';
  session: LiveSession;
  credential: Credential;
  via: 'header' | 'cookie';
}

/** A back end with a service key. */
export interface ServiceCaller {
  kind: 'service';
}

export type Refusal = {
  kind: 'refused';
  code: 'not_authenticated' | 'csrf_failed' | 'forbidden' | 'wrong_audience';
};

export const presented = (c: Call): Presented =>
  readCredential(c.req.header('authorization'), c.req.header('cookie'), c.get('world').config.cookie.name);

export function originOf(c: Call, contract: string, note?: string): Origin {
  return {
    note: plainName(note ?? '') || undefined,
    contract,
    ipAddress: c.get('ipAddress'),
    userAgent: c.req.header('user-agent') ?? '',
    requestId: c.get('requestId'),
  };
}

/** The API family of an address. */
function familyOf(c: Call): Contract {
  const { path } = c.req;
  if (path === '/logout') return 'cookie';
  if (path.startsWith('/auth/')) return presented(c).via === 'cookie' ? 'cookie' : 'envelope';
  if (path.startsWith('/api/v1/')) return 'token';
  return path.startsWith('/api/') ? 'session-id' : 'v1';
}

/** The live session of a request, by any credential of ours. @param use whether this is activity */
export async function sessionCaller(
  c: Call,
  use: boolean,
  from: Presented = presented(c),
): Promise<SessionCaller | Refusal> {
  if (from.via === 'none' || from.credential === null) return { kind: 'refused', code: 'not_authenticated' };
  const session = await authenticate(c.get('world'), from.credential, use);
  if (!session) {
    await deleteDeadCookie(c, from);
    return { kind: 'refused', code: 'not_authenticated' };
  }
  return { kind: 'session', session, credential: from.credential, via: from.via };
}

/** A cookie that opens nothing any more goes from the browser, which would send it until it is closed. */
export async function deleteDeadCookie(c: Call, from: Presented): Promise<void> {
  for (const deletion of await deletionsOfDead(c.get('world'), from))
    c.header('set-cookie', deletion, { append: true });
}

/**
 * The deletions of a cookie that was found dead; none for a text that is none of ours, nor for two cookies, of which one may be
 * alive. None either where the same browser was given another cookie for it: that one may be there already, and this
 * answer, which was asked for before, would delete it.
 */
export async function deletionsOfDead(world: World, from: Presented): Promise<string[]> {
  if (from.via !== 'cookie' || !from.credential || (await wasReplaced(world, from.credential))) return [];
  return clearCookies(world.config.cookie);
}

/** The same for a request that changes something: with a cookie it must come from a page of ours and say so. */
export async function sessionCallerToChange(
  c: Call,
  from: Presented = presented(c),
): Promise<SessionCaller | Refusal> {
  const caller = await sessionCaller(c, true, from);
  if (caller.kind === 'refused' || passesCsrf(c, caller)) return caller;
  return refuseSession(c, caller.session, 'csrf_refused', 'csrf_failed');
}

/** Refused although the session is alive: the log says so, and the user's history. */
export function refuseSession(
  c: Call,
  session: LiveSession,
  type: RefusalType,
  code: Refusal['code'],
): Refusal {
  const { system, refusals } = c.get('world');
  refusals.note(type, session.userId, originOf(c, familyOf(c)), { clientId: session.clientId, code });
  system.log.warn(
    {
      user_id: session.userId,
      sid: session.sid,
      ip_address: c.get('ipAddress'),
      request_id: c.get('requestId'),
      code,
    },
    'a request of a live session was refused',
  );
  return { kind: 'refused', code };
}

/** The same for what only a credential for Curfew itself may do: one for an application may be in its hands. */
export async function ownCallerToChange(c: Call): Promise<SessionCaller | Refusal> {
  const caller = await sessionCallerToChange(c);
  if (caller.kind === 'refused' || isForCurfew(c.get('world').config, caller.session)) return caller;
  return refuseSession(c, caller.session, 'audience_refused', 'wrong_audience');
}

/** A page cannot make a browser send our Authorization header, so only a cookie can be abused (OWASP CSRF CS). */
export function passesCsrf(
  c: Call,
  caller: SessionCaller,
  given: string = c.req.header('x-csrf-token') ?? '',
): boolean {
  if (caller.via !== 'cookie') return true;
  return fromTrustedOrigin(c) && sameSecret(given, csrfToken(caller.credential.text));
}

export function fromTrustedOrigin(c: Call): boolean {
  return isTrustedOrigin(
    { secFetchSite: c.req.header('sec-fetch-site') ?? null, origin: c.req.header('origin') ?? null },
    c.get('world').config.trustedOrigins,
  );
}

/** A login is refused from another site's page; a program sends neither header and has no page. */
export function isForeignPage(c: Call): boolean {
  const says = c.req.header('sec-fetch-site') !== undefined || c.req.header('origin') !== undefined;
  return says && !fromTrustedOrigin(c);
}

/** A service key in the Authorization header. */
export function serviceCaller(c: Call): ServiceCaller | Refusal {
  const from = presented(c);
  const ok = from.via === 'header' && isServiceKey(c.get('world'), from.text);
  return ok ? { kind: 'service' } : { kind: 'refused', code: 'not_authenticated' };
}

/** The same where nothing else will do. */
export function serviceCallerOnly(c: Call, type: RefusalType): ServiceCaller | Refusal {
  const caller = serviceCaller(c);
  if (caller.kind === 'refused') noteWrongKey(c, type, presented(c));
  return caller;
}

/** Something was presented where a service key was asked for. Whose it is is noted where memory knows. */
function noteWrongKey(c: Call, type: RefusalType, from: Presented): void {
  if (from.via === 'none') return;
  const { memory, refusals } = c.get('world');
  const session = from.credential && memory.recall(from.credential.text, false)?.session;
  refusals.note(type, session?.userId ?? null, originOf(c, familyOf(c)), { code: 'not_authenticated' });
}

export function isServiceKey(world: World, text: string): boolean {
  // All of them are compared, so that the time says nothing about which one came close.
  return world.config.serviceKeys.reduce((found, key) => sameSecret(text, key) || found, false);
}

function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hashSecret(a), hashSecret(b));
}

/** Who administers; without a session it is a service. */
export interface Administrator {
  kind: 'administrator';
  actor: string;
  session: LiveSession | null;
  credential: Credential | null;
}

/** An administrator's session, or a service key. @param use whether this is activity; a change always is */
export async function administrator(c: Call, changes: boolean, use = true): Promise<Administrator | Refusal> {
  const service = serviceCaller(c);
  if (service.kind === 'service')
    return { kind: 'administrator', actor: 'service', session: null, credential: null };
  const from = presented(c);
  const caller = changes ? await sessionCallerToChange(c, from) : await sessionCaller(c, use, from);
  if (caller.kind === 'refused') {
    // No credential of ours: somebody guesses at a service key.
    if (from.via === 'header' && from.credential === null) noteWrongKey(c, 'admin_forbidden', from);
    return caller;
  }
  const { config } = c.get('world');
  if (!mayAdminister(config, caller.session))
    return refuseSession(
      c,
      caller.session,
      'admin_forbidden',
      isForCurfew(config, caller.session) ? 'forbidden' : 'wrong_audience',
    );
  const { session, credential } = caller;
  return { kind: 'administrator', actor: userActor(session.userId, session.sid), session, credential };
}
