import { type ProblemCode, type ProblemMore, PROBLEMS, problem } from '@curfew/protocol/errors';
import type { Logout } from '@curfew/protocol/wire/logout';
import type { Session } from '@curfew/protocol/wire/session';
import type { User } from '@curfew/protocol/wire/user';
import type { Denial } from '../actions/admit.ts';
import { logoutView } from '../actions/logout-view.ts';
import type { Settled } from '../actions/settle.ts';
import type { LiveSession, UserFacts } from '../domain/session.ts';
import { redact } from '../system/log.ts';
import { Overloaded } from '../system/password-hashing.ts';
import { BodyTooLarge, type InputFault } from './contract/body.ts';
import type { Call } from './environment.ts';

/** The headers that belong to a code (RFC 9110 sections 11.6.1 and 15.5.22). */
const CODE_HEADERS: Partial<Record<ProblemCode, Record<string, string>>> = {
  not_authenticated: { 'www-authenticate': 'Bearer' },
  upgrade_required: { connection: 'Upgrade', upgrade: 'websocket' },
};

/** A problem answer (RFC 9457). */
export function refuse(
  c: Call,
  code: ProblemCode,
  more: ProblemMore = {},
  headers: Record<string, string> = {},
): Response {
  return c.body(JSON.stringify(problem(code, more)), PROBLEMS[code].status, {
    'content-type': 'application/problem+json',
    ...CODE_HEADERS[code],
    ...headers,
  });
}

/** An invalid input, with the field's name. */
export function refuseInput(c: Call, fault: InputFault): Response {
  if (fault.kind === 'media_type') return refuse(c, 'unsupported_media_type', { detail: fault.message });
  return refuse(c, 'invalid_request', {
    detail: fault.field === null ? fault.message : `${fault.field}: ${fault.message}`,
    ...(fault.field === null ? {} : { field: fault.field }),
  });
}

/** A fault in the one code that every API family translates, or an invalid input. */
export type Fault = 'too_large' | 'overloaded' | 'failed' | Denial['code'] | InputFault;

/** Sorts an exception. Curfew's own failures are written to the system log here, and never shown to the caller. */
export function faultOf(c: Call, error: unknown): 'too_large' | 'overloaded' | 'failed' {
  if (error instanceof BodyTooLarge) return 'too_large';
  if (error instanceof Overloaded) return 'overloaded';
  c.get('world').system.log.error(
    { err: error, request_id: c.get('requestId'), method: c.req.method, path: redact(c.req.path) },
    'a request failed',
  );
  return 'failed';
}

/** Seconds until the caller may try again. */
export const RETRY_AFTER = { 'retry-after': '1' } as const;

/** A user as every family shows it. */
export function userBody(user: UserFacts): User {
  const { id, email, name, role, workspace } = user;
  return { id, email, name, role, workspace };
}

export function sessionBody(session: LiveSession): Session {
  return {
    id: session.sid,
    user_id: session.userId,
    client_id: session.clientId,
    device_id: session.deviceId,
    created_at: session.createdAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
    idle_expires_at: session.idleExpiresAt.toISOString(),
  };
}

function elapsedMs(c: Call): number {
  return Math.round((c.get('world').system.monotonicMs() - c.get('startedMs')) * 100) / 100;
}

/** The result of a logout, for `/v1`. */
export function settledBody(c: Call, settled: Settled): Logout {
  return logoutView(settled, elapsedMs(c));
}

/** The result in headers, for the four contracts, whose bodies must not change. */
export function propagationHeader(c: Call, settled: Settled): Record<string, string> {
  const { confirmed, acknowledged, waitedOut } = settled;
  return {
    'curfew-propagation': `confirmed=${confirmed ? '?1' : '?0'}, ms=${elapsedMs(c)}, acknowledged=${acknowledged}, waited-out=${waitedOut}`,
  };
}
