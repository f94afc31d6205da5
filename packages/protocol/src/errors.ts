import type { SessionEnd } from './notices.ts';

/**
 * Every code that the product's own API can answer, with its HTTP status and its public sentence.
 * Closed: a client may switch over it. Bodies are problem details, RFC 9457.
 */
export const PROBLEMS = {
  invalid_request: { status: 400, title: 'The request is not well formed.' },
  not_authenticated: { status: 401, title: 'No live session answers to this credential.' },
  invalid_credentials: { status: 401, title: 'Wrong e-mail address or password.' },
  csrf_failed: {
    status: 403,
    title: 'A request with a cookie must come from a trusted origin and carry X-CSRF-Token.',
  },
  login_too_old: {
    status: 403,
    title:
      'The password was given too long ago. Give it again to /v1/session/confirm, then repeat the request.',
  },
  forbidden: { status: 403, title: 'This session may not do that.' },
  wrong_audience: { status: 403, title: 'This credential is for another application.' },
  not_found: { status: 404, title: 'There is nothing of that name here.' },
  method_not_allowed: { status: 405, title: 'This address does not answer to that method.' },
  conflict: { status: 409, title: 'That is taken already.' },
  last_administrator: {
    status: 409,
    title:
      'This is the last administrator. Nothing was changed. Repeat the request with "confirm_last_administrator": true.',
  },
  confirmation_required: {
    status: 409,
    title: 'Nothing was ended. Repeat the request with "confirm" set to the count.',
  },
  too_large: { status: 413, title: 'The request is too large.' },
  url_too_long: { status: 414, title: 'The address is too long.' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json.' },
  upgrade_required: {
    status: 426,
    title: 'This address is a WebSocket: ask for it with "Upgrade: websocket".',
  },
  rate_limited: { status: 429, title: 'Too many failed logins. Try again later.' },
  internal: { status: 500, title: 'Something failed on our side.' },
  overloaded: { status: 503, title: 'Too many logins at once. Try again in a moment.' },
  not_logged_out: { status: 503, title: 'Not logged out, try again: the database did not answer.' },
  took_too_long: { status: 503, title: 'This took too long and was stopped. Ask for less.' },
  unavailable: { status: 503, title: 'This cannot be told at the moment. Try again.' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** A problem body as it crosses the wire (RFC 9457). `field` names the input at fault, `count` a number to confirm, `ended` how the session of a genuine credential ended. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ProblemCode;
  detail?: string;
  field?: string;
  count?: number;
  ended?: SessionEnd;
}

/** What a problem can say beyond its code. */
export type ProblemMore = Pick<Problem, 'detail' | 'field' | 'count' | 'ended'>;

export function problem(code: ProblemCode, more: ProblemMore = {}): Problem {
  const { status, title } = PROBLEMS[code];
  return { type: `urn:curfew:problem:${code}`, title, status, code, ...more };
}
