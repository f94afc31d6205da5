import { mayAdminister } from '../domain/audience.ts';
import { logIn } from '../actions/log-in.ts';
import { logOutByToken } from '../actions/log-out.ts';
import { parseOpaque } from '../domain/tokens.ts';
import { findUser, userFacts } from '../store/users.ts';
import { type InputFault, readBody } from './contract/body.ts';
import { originOf, presented, refuseSession, sessionCaller } from './callers.ts';
import * as contract from './contract/legacy.ts';
import { clearIfOver } from './cookie.ts';
import type { Call } from './environment.ts';
import { required } from './issued.ts';
import { type Fault, propagationHeader, RETRY_AFTER, userBody } from './respond.ts';
import { type Router, serveRow } from './contract/serve-row.ts';
import { redact } from '../system/log.ts';

/* Contract 002. The session token travels in the query of its logout: nothing here may log or repeat the query. */

function error(
  c: Call,
  status: 400 | 401 | 403 | 404 | 413 | 429 | 500 | 503,
  text: string,
  headers: Record<string, string> = {},
): Response {
  const timestamp = c.get('world').system.now().toISOString();
  return c.json({ error: text, path: redact(c.req.path), timestamp }, status, headers);
}

function badInput(c: Call, { field, message }: InputFault): Response {
  return error(c, 400, field === null ? message : `${field}: ${message}`);
}

function onFault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return badInput(c, fault);
  switch (fault) {
    case 'too_large':
      return error(c, 413, 'The request is too large');
    case 'overloaded':
      return error(c, 503, 'Too many logins at once, try again', RETRY_AFTER);
    case 'failed':
      return error(c, 500, 'Internal server error');
  }
}

const parametersRequired = (c: Call): Response =>
  error(c, 400, 'userId and sessionId parameters are required');

const LARGEST = 9_223_372_036_854_775_807n;

/** A positive 64-bit integer in decimal, or null. */
function readLong(text: string | undefined): bigint | null {
  if (text === undefined || !/^\d{1,19}$/.test(text)) return null;
  const value = BigInt(text);
  return value > 0n && value <= LARGEST ? value : null;
}

export function serveSessionId(router: Router): void {
  serveRow(
    router,
    contract.sessionIdLogin,
    async (c) => {
      const input = await readBody(c, contract.sessionIdLogin);
      if (!input.ok) return badInput(c, input.fault);
      const { username, password } = input.value;
      const started = await logIn(
        c.get('world'),
        { email: username, password, contract: 'session-id', clientId: 'session-id', device: {} },
        originOf(c, 'session-id'),
      );
      switch (started.outcome) {
        case 'invalid_credentials':
          return error(c, 401, 'Invalid username or password');
        case 'rate_limited':
          return error(c, 429, 'Too many failed logins, try again later', {
            'retry-after': String(started.retryAfterSeconds),
          });
        case 'started': {
          const { session, tokens } = started;
          const sessionToken = required(tokens.session, session);
          const expiresAt = session.expiresAt.toISOString();
          return c.json({ success: true, data: { userId: session.userId, sessionToken, expiresAt } });
        }
      }
    },
    onFault,
  );

  serveRow(
    router,
    contract.sessionIdUser,
    async (c) => {
      const from = presented(c);
      const caller = await sessionCaller(c, true, from.via === 'header' ? from : { via: 'none' });
      if (caller.kind === 'refused') return error(c, 401, 'Not authenticated');
      const wanted = readLong(c.req.param('id'));
      const { session } = caller;
      if (wanted !== BigInt(session.userId) && !mayAdminister(c.get('world').config, session)) {
        refuseSession(c, session, 'admin_forbidden', 'forbidden');
        return error(c, 403, 'Access denied');
      }
      const known = wanted !== null && wanted <= BigInt(Number.MAX_SAFE_INTEGER);
      const user = known ? await findUser(c.get('world').database, Number(wanted)) : null;
      return user ? c.json(userBody(userFacts(user))) : error(c, 404, 'User not found');
    },
    onFault,
  );

  serveRow(
    router,
    contract.sessionIdLogout,
    async (c) => {
      const userId = readLong(c.req.query('userId'));
      const sessionId = c.req.query('sessionId');
      if (userId === null || sessionId === undefined || sessionId === '') return parametersRequired(c);
      const token = parseOpaque('session', sessionId);
      // What has not the form of a token never was one, and no node can take it for alive.
      const settled =
        token?.kind === 'session'
          ? await logOutByToken(c.get('world'), token, Number(userId), originOf(c, 'session-id'))
          : null;
      if (!settled?.ended) return error(c, 404, 'Session not found or already expired');
      await clearIfOver(c);
      return c.json(
        { success: true, message: 'Logged out successfully' },
        200,
        propagationHeader(c, settled),
      );
    },
    (c, fault) =>
      typeof fault === 'object'
        ? parametersRequired(c)
        : error(c, 500, 'Logout failed: Internal server error'),
  );
}
