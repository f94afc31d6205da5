import { changePassword } from '../actions/change-user.ts';
import { authenticate, authenticateRemembered } from '../actions/authenticate.ts';
import { confirmLogin } from '../actions/confirm-login.ts';
import { forgive } from '../actions/forgive.ts';
import { listOwnSessions } from '../actions/list-sessions.ts';
import { logIn } from '../actions/log-in.ts';
import { type LogoutScope, logOut, previewLogOut } from '../actions/log-out.ts';
import { nameOwnDevice } from '../actions/name-device.ts';
import { refresh } from '../actions/refresh.ts';
import type { StartedSession } from '../actions/start-session.ts';
import { whyEnded } from '../actions/why-ended.ts';
import { sourceOf } from '../domain/ip-address.ts';
import { passwordFault } from '../domain/password.ts';
import type { RefusalType } from '../domain/refusal.ts';
import { type LiveSession, shownIdleExpiry } from '../domain/session.ts';
import { type Credential, csrfToken, parseOpaque } from '../domain/tokens.ts';
import { countAttempt, countFailedAttempt } from '../store/limits.ts';
import { queryFault, readBody, readParameters } from './contract/body.ts';
import {
  deleteDeadCookie,
  originOf,
  ownCallerToChange,
  presented,
  sessionCaller,
  sessionCallerToChange,
} from './callers.ts';
import { identityHeaders } from './node-http/quick-check.ts';
import * as contract from './contract/v1.ts';
import { clearFromBrowser, clearIfOver, giveCookie, startCookieSession } from './cookie.ts';
import type { Call } from './environment.ts';
import { issuedBody } from './issued.ts';
import {
  type Fault,
  faultOf,
  previewBody,
  RETRY_AFTER,
  refuse,
  refuseInput,
  sessionBody,
  settledBody,
  userBody,
} from './respond.ts';
import { type Router, serveRow } from './contract/serve-row.ts';

/* The product's own API: sessions. */

export function onFault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return refuseInput(c, fault);
  switch (fault) {
    case 'too_large':
      return refuse(c, 'too_large');
    case 'overloaded':
      return refuse(c, 'overloaded', {}, RETRY_AFTER);
    case 'failed':
      return refuse(c, 'unavailable', {}, RETRY_AFTER);
  }
}

export function onLogoutFault(c: Call, fault: Fault): Response {
  return fault === 'failed' ? refuse(c, 'not_logged_out', {}, RETRY_AFTER) : onFault(c, fault);
}

export function serveV1(router: Router): void {
  serveRow(
    router,
    contract.login,
    async (c) => {
      const input = await readBody(c, contract.login);
      if (!input.ok) return refuseInput(c, input.fault);
      const world = c.get('world');
      const { email, password, transport, client_id: clientId, device = {} } = input.value;
      if (!world.config.applications.has(clientId))
        return refuseInput(c, {
          field: 'client_id',
          message: 'is not the name of an application',
          kind: 'malformed',
        });
      const viaCookie = transport === 'cookie';
      const name = viaCookie ? 'cookie' : 'v1';
      const start = () =>
        logIn(world, { email, password, contract: name, clientId, device }, originOf(c, name));
      const started = viaCookie ? await startCookieSession(c, start) : await start();
      switch (started.outcome) {
        case 'foreign_page':
          return refuse(c, 'csrf_failed');
        case 'invalid_credentials':
          return refuse(c, 'invalid_credentials');
        case 'rate_limited':
          return refuse(c, 'rate_limited', {}, { 'retry-after': String(started.retryAfterSeconds) });
        case 'started':
          return c.json(startedBody(started));
      }
    },
    onFault,
  );

  serveRow(
    router,
    contract.refresh,
    async (c) => {
      const input = await readBody(c, contract.refresh);
      if (!input.ok) return refuseInput(c, input.fault);
      const refreshed = await refresh(
        c.get('world'),
        input.value.refresh_token,
        originOf(c, 'v1'),
        input.value.client_id,
      );
      if (refreshed) return c.json(issuedBody(refreshed));
      return refuseSayingWhy(c, parseOpaque('refresh', input.value.refresh_token));
    },
    onFault,
  );

  serveRow(
    router,
    contract.session,
    async (c) => {
      const from = presented(c);
      const caller = await sessionCaller(c, false, from);
      if (caller.kind === 'refused') return refuseSayingWhy(c, from.via === 'none' ? null : from.credential);
      const { session, via, credential } = caller;
      return c.json({
        session: { ...sessionBody(session), idle_expires_at: shownIdleExpiry(session).toISOString() },
        user: userBody(session.user),
        ...(via === 'cookie' ? { csrf_token: csrfToken(credential.text) } : {}),
      });
    },
    onFault,
  );

  serveRow(
    router,
    contract.sessions,
    async (c) => {
      const caller = await sessionCaller(c, true);
      if (caller.kind === 'refused') return refuse(c, caller.code);
      const input = readParameters(contract.sessions.request.query, c.req.query());
      if (!input.ok) return refuseInput(c, input.fault);
      const { before = null, limit } = input.value;
      const { sessions, ...more } = await listOwnSessions(c.get('world'), caller.session, before, limit);
      return c.json({
        sessions: sessions.map((view) => ({ ...view, current: view.id === caller.session.sid })),
        ...more,
      });
    },
    onFault,
  );

  serveRow(
    router,
    contract.logout,
    async (c) => {
      const caller = await sessionCallerToChange(c);
      if (caller.kind === 'refused') return refuse(c, caller.code);
      const input = await readBody(c, contract.logout);
      if (!input.ok) return refuseInput(c, input.fault);
      const { scope, sessions, device, wait = 'replicas', note, dry_run: dryRun } = input.value;
      if (scope === 'selected' && !sessions)
        return refuseInput(c, { field: 'sessions', message: 'is required', kind: 'malformed' });
      const target: LogoutScope =
        scope === 'selected'
          ? { scope, sessions: sessions ?? [] }
          : scope === 'device'
            ? { scope, device }
            : { scope };
      if (dryRun) return c.json(previewBody(await previewLogOut(c.get('world'), caller.session, target)));
      const settled = await logOut(c.get('world'), caller.session, target, originOf(c, 'v1', note), wait);
      const endsThis =
        scope === 'this' ||
        scope === 'all' ||
        (scope === 'selected' && sessions?.includes(caller.session.sid)) ||
        (scope === 'device' && (device ?? caller.session.deviceId) === caller.session.deviceId);
      if (caller.via === 'header') await clearIfOver(c);
      else if (endsThis) clearFromBrowser(c);
      return c.json(settledBody(c, settled));
    },
    onLogoutFault,
  );

  serveRow(
    router,
    contract.endOne,
    async (c) => {
      const caller = await sessionCallerToChange(c);
      if (caller.kind === 'refused') return refuse(c, caller.code);
      const input = readParameters(contract.endOne.request.params, c.req.param());
      if (!input.ok) return refuseInput(c, input.fault);
      const body = await readBody(c, contract.endOne);
      if (!body.ok) return refuseInput(c, body.fault);
      const sid = input.value.id;
      const target: LogoutScope = { scope: 'selected', sessions: [sid] };
      const origin = originOf(c, 'v1', body.value.note);
      const settled = await logOut(c.get('world'), caller.session, target, origin);
      if (settled.ended === 0) return refuse(c, 'not_found');
      if (caller.via === 'header') await clearIfOver(c);
      else if (sid === caller.session.sid) clearFromBrowser(c);
      return c.json(settledBody(c, settled));
    },
    onLogoutFault,
  );

  serveRow(
    router,
    contract.nameSession,
    async (c) => {
      const caller = await sessionCallerToChange(c);
      if (caller.kind === 'refused') return refuse(c, caller.code);
      const params = readParameters(contract.nameSession.request.params, c.req.param());
      if (!params.ok) return refuseInput(c, params.fault);
      const input = await readBody(c, contract.nameSession);
      if (!input.ok) return refuseInput(c, input.fault);
      const sid = params.value.id;
      const name = await nameOwnDevice(c.get('world'), caller.session.userId, sid, input.value.name);
      return name === null ? refuse(c, 'not_found') : c.json({ id: sid, name });
    },
    onFault,
  );

  serveRow(
    router,
    contract.confirm,
    async (c) => {
      const caller = await ownCallerToChange(c);
      if (caller.kind === 'refused') return refuse(c, caller.code);
      const input = await readBody(c, contract.confirm);
      if (!input.ok) return refuseInput(c, input.fault);
      const { session } = caller;
      return renewedWithinLimits(c, session, 'password', () =>
        confirmLogin(c.get('world'), session, input.value.password, originOf(c, 'v1')),
      );
    },
    onFault,
  );

  serveRow(
    router,
    contract.password,
    async (c) => {
      const caller = await ownCallerToChange(c);
      if (caller.kind === 'refused') return refuse(c, caller.code);
      const input = await readBody(c, contract.password);
      if (!input.ok) return refuseInput(c, input.fault);
      const world = c.get('world');
      const { session } = caller;
      const fault = passwordFault(world.config.passwordMinLength, input.value.new_password);
      if (fault) return refuseInput(c, { field: 'new_password', message: fault, kind: 'malformed' });
      const { current_password: current, new_password: next } = input.value;
      return renewedWithinLimits(c, session, 'current_password', () =>
        changePassword(world, session, current, next, originOf(c, 'v1')),
      );
    },
    onFault,
  );

  const check = async (c: Call): Promise<Response> => {
    const from = presented(c);
    if (from.via === 'none' || !from.credential) return refuse(c, 'not_authenticated');
    const repeated = queryFault(c, contract.check);
    if (repeated) return refuseInput(c, repeated);
    const input = readParameters(contract.check.request.query, c.req.query());
    if (!input.ok) return refuseInput(c, input.fault);
    const world = c.get('world');
    const { audience } = input.value;
    const remembered = await authenticateRemembered(world, from.credential, true, audience);
    if (!remembered) {
      const isOver = audience === undefined || !(await authenticate(world, from.credential, false));
      if (isOver) await deleteDeadCookie(c, from);
      return refuse(c, 'not_authenticated');
    }
    return c.body(null, 200, Object.fromEntries(identityHeaders(remembered.session)));
  };
  serveRow(router, contract.check, check, onFault);
  // A proxy may pass on the method of the request that it asks about, and append its path (Envoy does both).
  for (const path of [contract.check.path, `${contract.check.path}/*`])
    router.all(path, async (c) => {
      try {
        return await check(c);
      } catch (error) {
        return onFault(c, faultOf(c, error));
      }
    });
}

/** A new session, with its CSRF token where it was opened with a cookie. */
function startedBody(started: StartedSession): Record<string, unknown> {
  const { cookie } = started.tokens;
  return { ...issuedBody(started), ...(cookie === undefined ? {} : { csrf_token: csrfToken(cookie) }) };
}

/** The session that took the place of the one that asked. */
function answerRenewed(c: Call, renewed: StartedSession | 'ended'): Response {
  if (renewed === 'ended') return refuse(c, 'not_authenticated');
  giveCookie(c, renewed.tokens);
  return c.json(startedBody(renewed));
}

/** The refusal of a credential. Of one that we gave out it says how its session ended: only now, when it is refused. */
async function refuseSayingWhy(c: Call, credential: Credential | null): Promise<Response> {
  const ended = credential && (await whyEnded(c.get('world'), credential));
  return refuse(c, 'not_authenticated', ended ? { ended } : {});
}

/**
 * Work that proves a password again. Somebody at an unlocked screen may guess there as at the login, and is held up as
 * there.
 * @param field the input that has the password
 */
async function renewedWithinLimits(
  c: Call,
  session: LiveSession,
  field: string,
  prove: () => Promise<StartedSession | 'wrong_password' | 'ended'>,
): Promise<Response> {
  const { database, config, system, refusals } = c.get('world');
  const attempt = { email: session.user.email, source: sourceOf(c.get('ipAddress')) };
  const wait = await countAttempt(database, attempt, config.loginLimits, system.now());
  const note = (type: RefusalType): void =>
    refusals.note(type, session.userId, originOf(c, 'v1'), { clientId: session.clientId });
  if (wait !== null) {
    note('login_limited');
    return refuse(c, 'rate_limited', {}, { 'retry-after': String(wait) });
  }
  const outcome = await prove();
  if (outcome === 'wrong_password') {
    note('reauthentication_failed');
    await countFailedAttempt(database, attempt, config.loginLimits, system.now());
    return refuse(c, 'invalid_credentials', { field });
  }
  await forgive(c.get('world'), attempt);
  return answerRenewed(c, outcome);
}
