import type { SessionEnd } from './notices.ts';

/**
 * Every problem code of `/v1`, with its HTTP status and its public sentence (RFC 9457). The list is closed: a client may switch
 * over it.
 */
export const PROBLEMS = {
  invalid_request: { status: 400, title: 'The request is malformed.' },
  not_authenticated: {
    status: 401,
    title: 'No live session for this credential. Log in again.',
  },
  invalid_credentials: { status: 401, title: 'Wrong e-mail address or password.' },
  csrf_failed: {
    status: 403,
    title:
      'Blocked: a request with the session cookie must come from a trusted origin and carry X-CSRF-Token.',
  },
  login_too_old: {
    status: 403,
    title: 'This needs a recent login. Send the password to /v1/session/confirm, then repeat the request.',
  },
  forbidden: { status: 403, title: 'This session has no permission for this request.' },
  insufficient_scope: {
    status: 403,
    title: 'This key lacks the scope that this request requires, or belongs to another application.',
  },
  wrong_audience: { status: 403, title: 'This credential was issued for another application.' },
  unauthorized_client: { status: 403, title: 'This application does not allow this way to log in.' },
  not_found: { status: 404, title: 'No such user, session or address.' },
  method_not_allowed: { status: 405, title: 'This address does not support that method.' },
  conflict: { status: 409, title: 'This value is already in use. Choose another.' },
  last_administrator: {
    status: 409,
    title:
      'Nothing was changed: this is the last administrator. To continue, repeat the request with "confirm_last_administrator": true.',
  },
  last_admin_key: {
    status: 409,
    title:
      'Nothing was changed: this is the last key with the scope "admin". To continue, repeat the request with "confirm_last_admin_key": true.',
  },
  confirmation_required: {
    status: 409,
    title: 'Nothing was ended. To continue, repeat the request with "confirm" set to the count.',
  },
  too_large: { status: 413, title: 'The request is too large.' },
  url_too_long: { status: 414, title: 'The address is too long.' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json.' },
  upgrade_required: {
    status: 426,
    title: 'This address is a WebSocket. Send the request with "Upgrade: websocket".',
  },
  rate_limited: { status: 429, title: 'Too many failed logins. Try again later.' },
  too_many_invalid_keys: {
    status: 429,
    title:
      'Too many requests from this address carried a key that is not valid. A valid key is accepted at once; for another try, wait.',
  },
  internal: { status: 500, title: 'Something went wrong on our side. Try again.' },
  overloaded: { status: 503, title: 'Too many logins at once. Try again in a moment.' },
  not_logged_out: { status: 503, title: 'Not logged out: the database did not answer. Try again.' },
  older_node: {
    status: 503,
    title:
      'Nothing was ended: a node of an older version is running and would not follow. Update it, then repeat the request.',
  },
  took_too_long: { status: 503, title: 'The query took too long and was stopped. Narrow it and try again.' },
  unavailable: { status: 503, title: 'Session status is unavailable. Try again.' },
} as const;

/** A code of `PROBLEMS`. */
export type ProblemCode = keyof typeof PROBLEMS;

/** A problem body (RFC 9457). */
export interface Problem {
  /** `urn:curfew:problem:` and the code. */
  type: string;
  /** The public sentence of the code. */
  title: string;
  /** The HTTP status. */
  status: number;
  /** For programs to switch over. */
  code: ProblemCode;
  /** A sentence about this one request. */
  detail?: string;
  /** The input at fault. */
  field?: string;
  /** The number of sessions to confirm. */
  count?: number;
  /** How the session of a genuine credential ended. */
  ended?: SessionEnd;
}

/** The members of a problem that its code does not determine. */
export type ProblemMore = Pick<Problem, 'detail' | 'field' | 'count' | 'ended'>;

/**
 * Returns the body of a problem.
 * @example
 * import { problem } from '@curfew/protocol/errors';
 *
 * const { status, ...rest } = problem('invalid_request', { field: 'email' });
 */
export function problem(code: ProblemCode, more: ProblemMore = {}): Problem {
  const { status, title } = PROBLEMS[code];
  return { type: `urn:curfew:problem:${code}`, title, status, code, ...more };
}
