import { timingSafeEqual } from 'node:crypto';
import { keyActor, userActor } from '../domain/actor.ts';
import { type ApiKey, EVERYTHING, type KeyScope, mayUse, type Reach, reachOf } from '../domain/api-key.ts';
import type { CallerRule, KeyRule, RequestFacts } from '../domain/caller-rule.ts';
import { isTrustedOrigin } from '@curfew/protocol/reading/trusted-origin';
import type { Presented } from '../domain/presented.ts';
import type { RefusalType } from '../domain/refusal-types.ts';
import type { LiveSession } from '../domain/session.ts';
import { type Credential, csrfToken, hashSecret } from '../domain/credentials.ts';
import { isForCurfew, mayAdminister } from '../domain/audience.ts';
import { sourceOf } from '../domain/ip-address.ts';
import { authenticate } from './authenticate.ts';
import type { RequestContext, World } from '../world/world.ts';

interface Nobody {
  kind: 'nobody';
}

/** A caller with a live session, and how the request carried its credential. */
export interface SessionCaller {
  kind: 'session';
  session: LiveSession;
  credential: Credential;
  via: 'header' | 'cookie';
}

/** A caller with a key: a back end or an operator. */
export interface ServiceCaller {
  kind: 'service';
  actor: string;
  reach: Reach;
  /** Null: a service key of the settings. */
  key: PresentedKey | null;
}

/** An API key, and the text that the caller presented. */
export interface PresentedKey extends ApiKey {
  text: string;
}

/** An administrator's session, or a key. */
export interface Administrator extends Omit<ServiceCaller, 'kind'> {
  kind: 'administrator';
  session: LiveSession | null;
  credential: Credential | null;
}

/** A credential of the right form, not judged yet. */
interface CredentialCaller {
  kind: 'credential';
  credential: Credential;
}

export interface Denial {
  kind: 'refused';
  code:
    | 'not_authenticated'
    | 'csrf_failed'
    | 'forbidden'
    | 'insufficient_scope'
    | 'wrong_audience'
    | 'too_many_invalid_keys';
  /** The cookie of the request is dead, and can be cleared. */
  deadCookie?: true;
  /** The scope that the rule requires of a key. */
  scope?: KeyScope;
  /** Of `too_many_invalid_keys`. */
  retryAfterSeconds?: number;
}

export type Caller = Nobody | SessionCaller | ServiceCaller | Administrator | CredentialCaller;

/** The caller that a rule lets in. */
export type CallerOf<R> = OfKind<R extends { rules: readonly (infer One)[] } ? One : R>;
type OfKind<R> = R extends { who: infer Kind } ? Extract<Caller, { kind: Kind }> : never;

const NOT_AUTHENTICATED: Denial = { kind: 'refused', code: 'not_authenticated' };
const NOBODY: Nobody = { kind: 'nobody' };

type ContextOf = () => RequestContext;

/**
 * Lets the caller in, or refuses, as the rule says. Refusals of live sessions are recorded.
 * @param context the request's origin, for the record
 */
export async function admit<R extends CallerRule>(
  world: World,
  rule: R,
  facts: RequestFacts,
  context: ContextOf,
): Promise<CallerOf<R> | Denial> {
  return (await judge(world, rule, facts, context)) as CallerOf<R> | Denial;
}

async function judge(
  world: World,
  rule: CallerRule,
  facts: RequestFacts,
  context: ContextOf,
): Promise<Caller | Denial> {
  const { from } = facts;
  switch (rule.who) {
    case 'nobody':
      return NOBODY;
    case 'dependent':
      return judge(world, rule.choose(facts), facts, context);
    case 'credential':
      if (from.via === 'none' || from.credential === null) return NOT_AUTHENTICATED;
      return { kind: 'credential', credential: from.credential };
    case 'service': {
      const caller = await serviceOf(world, from);
      if (caller)
        return mayCall(rule, caller) ? caller : refuseKey(world, rule.notedAs, rule.key, caller, context());
      return refuseWrongKey(world, rule.notedAs, from, context());
    }
    case 'administrator':
      return admitAdministrator(world, rule, facts, context);
    case 'session': {
      const presented = rule.by === 'any' || from.via === 'header' ? from : NONE;
      const caller = await admitSession(world, rule, { ...facts, from: presented }, context);
      if (caller.kind === 'refused' || !rule.own || isForCurfew(world.clients, caller.session)) return caller;
      return refuseSession(world, caller.session, context(), 'audience_refused', 'wrong_audience');
    }
  }
}

const NONE: Presented = { via: 'none' };

async function admitSession(
  world: World,
  { use, changes, handshake }: { use: boolean; changes: boolean; handshake?: true },
  facts: RequestFacts,
  context: ContextOf,
): Promise<SessionCaller | Denial> {
  const { from } = facts;
  if (handshake && !mayListen(world, facts)) return { kind: 'refused', code: 'forbidden' };
  if (from.via === 'none' || from.credential === null) return NOT_AUTHENTICATED;
  const session = await authenticate(world, from.credential, use);
  if (!session) return from.via === 'cookie' ? { ...NOT_AUTHENTICATED, deadCookie: true } : NOT_AUTHENTICATED;
  const caller: SessionCaller = { kind: 'session', session, credential: from.credential, via: from.via };
  if (!changes || passesCsrf(world, facts, caller)) return caller;
  return refuseSession(world, session, context(), 'csrf_refused', 'csrf_failed');
}

async function admitAdministrator(
  world: World,
  rule: Extract<CallerRule, { who: 'administrator' }>,
  facts: RequestFacts,
  context: ContextOf,
): Promise<Administrator | Denial> {
  const { from } = facts;
  const service = await serviceOf(world, from);
  if (service && !mayCall(rule, service))
    return refuseKey(world, 'admin_forbidden', rule.key, service, context());
  if (service) return { ...service, kind: 'administrator', session: null, credential: null };
  const caller = await admitSession(world, rule, facts, context);
  if (caller.kind === 'refused') {
    // Not a credential of Curfew: an attempt to guess a key.
    if (from.via === 'header' && from.credential === null)
      return refuseWrongKey(world, 'admin_forbidden', from, context());
    return caller;
  }
  const { session, credential } = caller;
  if (mayAdminister(world.clients, session)) {
    const actor = userActor(session.userId, session.sid);
    return { kind: 'administrator', actor, reach: EVERYTHING, key: null, session, credential };
  }
  const code = isForCurfew(world.clients, session) ? 'forbidden' : 'wrong_audience';
  return refuseSession(world, session, context(), 'admin_forbidden', code);
}

/**
 * Judges a caller again that was let in before, from memory while it is fresh. A database that does not answer is a fault:
 * nothing is shown then.
 */
export async function mayStillAdminister(world: World, { credential, key }: Administrator): Promise<boolean> {
  // The scopes of a key never change.
  if (key !== null) return (await world.apiKeys.find(key.text)) !== null;
  if (credential === null) return true;
  const session = await authenticate(world, credential, false);
  return session !== null && mayAdminister(world.clients, session);
}

/** A page cannot make a browser send Curfew's Authorization header, so only a cookie can be abused (OWASP CSRF CS). */
export function passesCsrf(
  world: World,
  facts: RequestFacts,
  caller: SessionCaller,
  given: string = facts.header('x-csrf-token') ?? '',
): boolean {
  if (caller.via !== 'cookie') return true;
  return isFromTrustedPage(world, facts) && sameSecret(given, csrfToken(caller.credential.text));
}

/** Whether a request comes from another site's page; programs send no such headers. */
export function isFromForeignPage(world: World, facts: RequestFacts): boolean {
  const says = facts.header('sec-fetch-site') !== undefined || facts.header('origin') !== undefined;
  return says && !isFromTrustedPage(world, facts);
}

/** Whether a page may open a WebSocket. A browser always names the page's origin, a program names none. */
function mayListen({ config }: World, { from, header }: RequestFacts): boolean {
  const origin = header('origin');
  if (origin === undefined) return from.via !== 'cookie';
  const scheme = config.cookie.secure ? 'https' : 'http';
  return config.trustedOrigins.has(origin) || origin === `${scheme}://${header('host')}`;
}

function isFromTrustedPage(world: World, { header }: RequestFacts): boolean {
  const page = { secFetchSite: header('sec-fetch-site') ?? null, origin: header('origin') ?? null };
  return isTrustedOrigin(page, world.config.trustedOrigins);
}

/** Refuses a live session, and records it in the log and the user's history. */
export function refuseSession(
  world: World,
  session: LiveSession,
  context: RequestContext,
  type: RefusalType,
  code: Denial['code'],
): Denial {
  const { system, refusals } = world;
  refusals.note(type, session.userId, context, { clientId: session.clientId, code });
  const { ipAddress: ip_address, requestId: request_id } = context;
  system.log.warn(
    { user_id: session.userId, sid: session.sid, ip_address, request_id, code },
    'a request of a live session was refused',
  );
  return { kind: 'refused', code };
}

/** Refuses a wrong credential instead of a key. The record names its user where memory knows the credential. */
function refuseWrongKey(
  { memory, refusals, wrongKeys }: World,
  type: RefusalType | null,
  from: Presented,
  context: RequestContext,
): Denial {
  if (from.via === 'none') return NOT_AUTHENTICATED;
  const wait = from.via === 'header' ? wrongKeys.count(sourceOf(context.ipAddress)) : null;
  const denial: Denial =
    wait === null
      ? NOT_AUTHENTICATED
      : { kind: 'refused', code: 'too_many_invalid_keys', retryAfterSeconds: wait };
  const session = from.credential && memory.recall(from.credential.text, false)?.session;
  if (type !== null) refusals.note(type, session?.userId ?? null, context, { code: denial.code });
  return denial;
}

/** The caller of a key; null when the request presents none that is live. */
async function serviceOf(world: World, from: Presented): Promise<ServiceCaller | null> {
  if (from.via !== 'header') return null;
  const { text } = from;
  if (isServiceKey(world, text)) return { kind: 'service', actor: 'service', reach: EVERYTHING, key: null };
  const key = await world.apiKeys.find(text);
  if (key) world.apiKeys.use(key);
  return key && { kind: 'service', actor: keyActor(key), reach: reachOf(key), key: { ...key, text } };
}

/** Whether a rule admits the caller's key. */
const mayCall = ({ key: rule }: { key: KeyRule }, { key }: ServiceCaller): boolean =>
  key === null || (mayUse(key, rule.scope) && (rule.clients || key.clientId === null));

/** Refuses a live key that lacks the scope, or is a client's where only operators' are admitted. */
function refuseKey(
  { refusals, system }: World,
  type: RefusalType | null,
  { scope }: KeyRule,
  { key }: ServiceCaller,
  context: RequestContext,
): Denial {
  const { ipAddress: ip_address, requestId: request_id } = context;
  if (type !== null)
    refusals.note(type, null, context, {
      ...(key?.clientId ? { clientId: key.clientId } : {}),
      code: 'insufficient_scope',
    });
  system.log.warn(
    { key_id: key?.id, key_name: key?.name, ip_address, request_id },
    'a request of an API key was refused: it lacks the scope, or belongs to a client',
  );
  return { kind: 'refused', code: 'insufficient_scope', ...(key && !mayUse(key, scope) && { scope }) };
}

function isServiceKey(world: World, text: string): boolean {
  // Compares with all keys, so that the time does not tell which one was close.
  return world.config.serviceKeys.reduce((found, key) => sameSecret(text, key) || found, false);
}

function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(hashSecret(a), hashSecret(b));
}
