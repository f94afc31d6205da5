import { logIn } from '../actions/log-in.ts';
import { logOut } from '../actions/log-out.ts';
import { refresh } from '../actions/refresh.ts';
import { type InputFault, readBody } from './contract/body.ts';
import { originOf, presented, type Refusal, type SessionCaller, sessionCaller } from './callers.ts';
import * as contract from './contract/legacy.ts';
import { clearIfOver } from './cookie.ts';
import type { Call } from './environment.ts';
import { bearerTokens } from './issued.ts';
import { type Fault, propagationHeader, RETRY_AFTER, userBody } from './respond.ts';
import { type Router, serveRow } from './contract/serve-row.ts';

/* Contract 003. */

function message(
  c: Call,
  status: 200 | 401 | 413 | 429 | 503,
  text: string,
  headers: Record<string, string> = {},
): Response {
  return c.json({ message: text }, status, headers);
}

const unauthenticated = (c: Call): Response => message(c, 401, 'Unauthenticated.');

function badInput(c: Call, fault: InputFault): Response {
  const field = fault.field ?? 'body';
  const text =
    fault.message === 'is required'
      ? `The ${field} field is required.`
      : `The ${field} field is invalid: ${fault.message}.`;
  return c.json({ message: text, errors: { [field]: [text] } }, 422);
}

function onFault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return badInput(c, fault);
  if (fault === 'too_large') return message(c, 413, 'The request is too large.');
  return message(c, 503, 'Service Unavailable.', RETRY_AFTER);
}

/** This family knows the Authorization header alone; a cookie is nothing here. */
function headerCaller(c: Call): Promise<SessionCaller | Refusal> {
  const from = presented(c);
  return sessionCaller(c, false, from.via === 'header' ? from : { via: 'none' });
}

export function serveToken(router: Router): void {
  serveRow(
    router,
    contract.tokenLogin,
    async (c) => {
      const input = await readBody(c, contract.tokenLogin);
      if (!input.ok) return badInput(c, input.fault);
      const started = await logIn(
        c.get('world'),
        { ...input.value, contract: 'token', clientId: 'token', device: {} },
        originOf(c, 'token'),
      );
      switch (started.outcome) {
        case 'invalid_credentials':
          return message(c, 401, 'Invalid credentials.');
        case 'rate_limited':
          return message(c, 429, 'Too Many Attempts.', { 'retry-after': String(started.retryAfterSeconds) });
        case 'started':
          return c.json(bearerTokens(started.tokens));
      }
    },
    onFault,
  );

  serveRow(
    router,
    contract.tokenRefresh,
    async (c) => {
      const input = await readBody(c, contract.tokenRefresh);
      if (!input.ok) return badInput(c, input.fault);
      const refreshed = await refresh(c.get('world'), input.value.refresh_token, originOf(c, 'token'));
      return refreshed ? c.json(bearerTokens(refreshed.tokens)) : unauthenticated(c);
    },
    onFault,
  );

  serveRow(
    router,
    contract.tokenStatus,
    async (c) => {
      const caller = await headerCaller(c);
      if (caller.kind === 'refused') return unauthenticated(c);
      return c.json({ authenticated: true, user: userBody(caller.session.user) });
    },
    onFault,
  );

  serveRow(
    router,
    contract.tokenLogout,
    async (c) => {
      const caller = await headerCaller(c);
      if (caller.kind === 'refused') return unauthenticated(c);
      const settled = await logOut(c.get('world'), caller.session, { scope: 'all' }, originOf(c, 'token'));
      await clearIfOver(c);
      return message(c, 200, 'Successfully logged out', propagationHeader(c, settled));
    },
    (c, fault) =>
      fault === 'failed' ? message(c, 503, 'Not logged out, try again.', RETRY_AFTER) : onFault(c, fault),
  );
}
