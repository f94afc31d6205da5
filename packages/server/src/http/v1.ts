import { changePassword } from '../actions/change-user.ts';
import { authenticateRemembered } from '../actions/authenticate.ts';
import { listOwnSessions } from '../actions/list-sessions.ts';
import { logIn, sourceOf } from '../actions/log-in.ts';
import { type LogoutScope, logOut } from '../actions/log-out.ts';
import { refresh } from '../actions/refresh.ts';
import { csrfToken } from '../domain/tokens.ts';
import { countAttempt, countFailedAttempt, forgiveAttempt } from '../store/limits.ts';
import { readBody, readParameters } from './body.ts';
import { originOf, presented, sessionCaller, sessionCallerToChange } from './callers.ts';
import { identityHeaders } from './check.ts';
import * as contract from './contract/v1.ts';
import { clearFromBrowser, startCookieSession } from './cookie.ts';
import type { Call } from './environment.ts';
import { issuedBody } from './issued.ts';
import {
  type Fault,
  faultOf,
  RETRY_AFTER,
  refuse,
  refuseInput,
  sessionBody,
  settledBody,
  userBody,
} from './respond.ts';
import { type Router, serveRow } from './serve-row.ts';

/* The product's own API: sessions. */

export function onFault(c: Call, fault: Fault): Response {
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
        case 'started': {
          const { cookie } = started.tokens;
          return c.json({
            ...issuedBody(started),
            ...(cookie === undefined ? {} : { csrf_token: csrfToken(cookie) }),
          });
        }
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
      const refreshed = await refresh(c.get('world'), input.value.refresh_token, originOf(c, 'v1'));
      return refreshed ? c.json(issuedBody(refreshed)) : refuse(c, 'not_authenticated');
    },
    onFault,
  );

  serveRow(
    router,
    contract.session,
    async (c) => {
      const caller = await sessionCaller(c, false);
      if (caller.kind === 'refused') return refuse(c, caller.code);
      const { session, via, credential } = caller;
      return c.json({
        session: sessionBody(session),
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
      const sessions = await listOwnSessions(c.get('world'), caller.session.userId);
      return c.json({
        sessions: sessions.map((view) => ({ ...view, current: view.id === caller.session.sid })),
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
      const { scope, sessions, device, wait = 'replicas' } = input.value;
      if (scope === 'selected' && !sessions)
        return refuseInput(c, { field: 'sessions', message: 'is required', kind: 'malformed' });
      const target: LogoutScope =
        scope === 'selected'
          ? { scope, sessions: sessions ?? [] }
          : scope === 'device'
            ? { scope, device }
            : { scope };
      const settled = await logOut(c.get('world'), caller.session, target, originOf(c, 'v1'), wait);
      const endsThis =
        scope === 'this' ||
        scope === 'all' ||
        (scope === 'selected' && sessions?.includes(caller.session.sid)) ||
        (scope === 'device' && (device ?? caller.session.deviceId) === caller.session.deviceId);
      if (caller.via === 'cookie' && endsThis) clearFromBrowser(c);
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
      const sid = input.value.id;
      const target: LogoutScope = { scope: 'selected', sessions: [sid] };
      const settled = await logOut(c.get('world'), caller.session, target, originOf(c, 'v1'));
      if (settled.ended === 0) return refuse(c, 'not_found');
      if (caller.via === 'cookie' && sid === caller.session.sid) clearFromBrowser(c);
      return c.json(settledBody(c, settled));
    },
    onLogoutFault,
  );

  serveRow(
    router,
    contract.password,
    async (c) => {
      const caller = await sessionCallerToChange(c);
      if (caller.kind === 'refused') return refuse(c, caller.code);
      const input = await readBody(c, contract.password);
      if (!input.ok) return refuseInput(c, input.fault);
      const world = c.get('world');
      const { session } = caller;
      const fault = passwordFault(world.config.passwordMinLength, input.value.new_password);
      if (fault) return refuseInput(c, { field: 'new_password', message: fault, kind: 'malformed' });
      // Somebody at an unlocked screen may guess here as at the login, and is held up as there.
      const origin = originOf(c, 'v1');
      const attempt = { email: session.user.email, source: sourceOf(origin.ipAddress) };
      const wait = await countAttempt(world.database, attempt, world.config.loginLimits, world.system.now());
      if (wait !== null) return refuse(c, 'rate_limited', {}, { 'retry-after': String(wait) });
      const { current_password: current, new_password: next } = input.value;
      const outcome = await changePassword(world, session, current, next, origin);
      if (outcome === 'wrong_password') {
        await countFailedAttempt(world.database, attempt, world.config.loginLimits, world.system.now());
        return refuse(c, 'invalid_credentials', { field: 'current_password' });
      }
      await forgiveAttempt(world.database, attempt, world.system.now());
      return c.body(null, 204);
    },
    onFault,
  );

  const check = async (c: Call): Promise<Response> => {
    const from = presented(c);
    if (from.via === 'none' || !from.credential) return refuse(c, 'not_authenticated');
    const remembered = await authenticateRemembered(c.get('world'), from.credential, true);
    if (!remembered) return refuse(c, 'not_authenticated');
    return c.body(null, 200, Object.fromEntries(identityHeaders(remembered.session)));
  };
  serveRow(router, contract.check, check, onFault);
  // A proxy may pass on the method of the request that it asks about (Envoy does).
  router.all(contract.check.path, async (c) => {
    try {
      return await check(c);
    } catch (error) {
      return onFault(c, faultOf(c, error));
    }
  });
}

/** What is wrong with a new password, or null. No rules of composition (NIST SP 800-63B-4 section 3.1.1.2). */
export function passwordFault(minLength: number, password: string): string | null {
  // Counted in characters of Unicode, as NIST counts them.
  return Array.from(password).length < minLength ? `must have at least ${minLength} characters` : null;
}
