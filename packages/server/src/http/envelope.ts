import { readThrough } from '../cache/profiles.ts';
import { logIn } from '../actions/log-in.ts';
import { logOut } from '../actions/log-out.ts';
import { refresh } from '../actions/refresh.ts';
import { csrfToken } from '../domain/tokens.ts';
import { findUser, userFacts } from '../store/users.ts';
import { atMost } from '../system/timers.ts';
import { type InputFault, readBody } from './contract/body.ts';
import { originOf, presented, sessionCaller } from './callers.ts';
import * as contract from './contract/legacy.ts';
import { clearIfOver, cookieDetail, invalidScope, logOutCookie, startCookieSession } from './cookie.ts';
import type { Call } from './environment.ts';
import { bearerTokens } from './issued.ts';
import { type Fault, propagationHeader, RETRY_AFTER, userBody } from './respond.ts';
import { type Router, serveRow } from './contract/serve-row.ts';
import type { World } from '../world/world.ts';

/*
 * Contract 001. Every answer has the same five keys. It shares two paths with contract 004: the credential decides.
 */

type Status = 200 | 400 | 401 | 413 | 429 | 500 | 503;

function answer(
  c: Call,
  status: Status,
  parts: { message: string; data?: unknown; code?: string; field?: string | null },
  headers: Record<string, string> = {},
): Response {
  const { message, data = null, code = null, field = null } = parts;
  return c.json({ success: status === 200, message, data, code, field }, status, headers);
}

function badInput(c: Call, fault: InputFault): Response {
  const message = fault.field === null ? fault.message : `${fault.field}: ${fault.message}`;
  return answer(c, 400, { message, code: 'VALIDATION_ERROR', field: fault.field });
}

const NOT_AUTHENTICATED = { message: 'Not authenticated', code: 'NOT_AUTHENTICATED' };

/** No live session: with a header the envelope, with a cookie contract 004's detail, with neither a body for both. */
export function notAuthenticated(c: Call): Response {
  const { via } = presented(c);
  if (via === 'header') return answer(c, 401, NOT_AUTHENTICATED);
  const { message, code } = NOT_AUTHENTICATED;
  if (via === 'cookie') return cookieDetail(c, 401, code, message);
  const detail = { error_code: code, message };
  return c.json({ success: false, message, data: null, code, field: null, detail }, 401);
}

function onFault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return badInput(c, fault);
  switch (fault) {
    case 'too_large':
      return answer(c, 413, { message: 'The request is too large', code: 'TOO_LARGE' });
    case 'overloaded':
      return answer(
        c,
        503,
        { message: 'Too many logins at once. Try again in a moment', code: 'OVERLOADED' },
        RETRY_AFTER,
      );
    case 'failed':
      return answer(c, 503, { message: 'Try again in a moment', code: 'UNAVAILABLE' }, RETRY_AFTER);
  }
}

/** The contract that a request to a shared path is judged by says how a failed logout is answered. */
function onLogoutFault(c: Call, fault: Fault): Response {
  if (presented(c).via === 'cookie')
    return typeof fault === 'object'
      ? invalidScope(c)
      : cookieDetail(c, 500, 'LOGOUT_FAILED', 'Not logged out, try again');
  if (fault !== 'failed') return onFault(c, fault);
  return answer(c, 503, { message: 'Not logged out, try again', code: 'LOGOUT_FAILED' }, RETRY_AFTER);
}

export function serveEnvelope(router: Router): void {
  serveRow(
    router,
    contract.envelopeLogin,
    async (c) => {
      const input = await readBody(c, contract.envelopeLogin);
      if (!input.ok) return badInput(c, input.fault);
      const { email, password, transport } = input.value;
      const viaCookie = transport === 'cookie';
      const name = viaCookie ? 'cookie' : 'envelope';
      const start = () =>
        logIn(
          c.get('world'),
          { email, password, contract: name, clientId: name, device: {} },
          originOf(c, name),
        );
      const started = viaCookie ? await startCookieSession(c, start) : await start();
      switch (started.outcome) {
        case 'foreign_page':
          return cookieDetail(c, 403, 'CSRF_FAILED', 'The request does not come from a trusted origin');
        case 'invalid_credentials':
          return answer(c, 401, { message: 'Invalid email or password', code: 'INVALID_CREDENTIALS' });
        case 'rate_limited':
          return answer(
            c,
            429,
            { message: 'Too many failed logins. Try again later', code: 'RATE_LIMITED' },
            { 'retry-after': String(started.retryAfterSeconds) },
          );
        case 'started': {
          const user = userBody(started.session.user);
          const data =
            started.tokens.cookie === undefined
              ? { ...bearerTokens(started.tokens), user }
              : { user, csrf_token: csrfToken(started.tokens.cookie) };
          return answer(c, 200, { message: 'Login successful', data });
        }
      }
    },
    onFault,
  );

  serveRow(
    router,
    contract.envelopeRefresh,
    async (c) => {
      const input = await readBody(c, contract.envelopeRefresh);
      if (!input.ok) return badInput(c, input.fault);
      const refreshed = await refresh(c.get('world'), input.value.refresh_token, originOf(c, 'envelope'));
      if (!refreshed)
        return answer(c, 401, { message: 'Invalid refresh token', code: 'INVALID_REFRESH_TOKEN' });
      const data = { ...bearerTokens(refreshed.tokens), user: userBody(refreshed.session.user) };
      return answer(c, 200, { message: 'Token refreshed', data });
    },
    onFault,
  );

  serveRow(
    router,
    contract.profile,
    async (c) => {
      const caller = await sessionCaller(c, true);
      if (caller.kind === 'refused') return notAuthenticated(c);
      const { copies, database } = c.get('world');
      const { session } = caller;
      const load = async () => {
        const user = await findUser(database, session.userId);
        return user ? userBody(userFacts(user)) : null;
      };
      const user = await readThrough(copies, 'user', session, load);
      const data = await readThrough(copies, 'user_profile', session, async () => user);
      return data ? answer(c, 200, { message: 'Profile retrieved', data }) : notAuthenticated(c);
    },
    onFault,
  );

  serveRow(
    router,
    contract.workspace,
    async (c) => {
      const caller = await sessionCaller(c, true);
      if (caller.kind === 'refused') return notAuthenticated(c);
      const { copies, database } = c.get('world');
      const { session } = caller;
      const data = await readThrough(copies, 'user_workspace', session, async () => ({
        user_id: session.userId,
        workspace: (await findUser(database, session.userId))?.workspace ?? '',
      }));
      return answer(c, 200, { message: 'Workspace retrieved', data });
    },
    onFault,
  );

  serveRow(
    router,
    contract.sharedLogout,
    async (c) => {
      const from = presented(c);
      if (from.via === 'cookie') return logOutCookie(c, from);
      const caller = await sessionCaller(c, false, from);
      if (caller.kind === 'refused') return notAuthenticated(c);
      const world = c.get('world');
      const settled = await logOut(world, caller.session, { scope: 'all' }, originOf(c, 'envelope'));
      await evicted(world);
      await clearIfOver(c);
      return answer(c, 200, { message: 'Logout successful' }, propagationHeader(c, settled));
    },
    onLogoutFault,
  );
}

/** A Redis that hangs must not hold up the answer for longer than this. */
const EVICTION_WAIT_MS = 200;

/**
 * This contract promises that the cached keys are gone when it answers. The eviction is the log reader's work, durable
 * and repeated until it is done; here it is only waited for, and only while Redis is there.
 */
async function evicted(world: World): Promise<void> {
  const { evictor } = world.readers;
  if (!evictor || !world.redis?.healthy) return;
  await atMost(
    world.system,
    EVICTION_WAIT_MS,
    evictor.catchUp().catch(() => undefined),
    undefined,
  );
}
