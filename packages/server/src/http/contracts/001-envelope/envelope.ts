import { z } from '@hono/zod-openapi';
import { presented } from '../../callers.ts';
import type { InputFault } from '../../contract/body.ts';
import { json } from '../../contract/row.ts';
import * as shape from '../../contract/shapes.ts';
import type { Call } from '../../environment.ts';
import type { LoginOutcome } from '../../../actions/log-in.ts';
import { type Fault, RETRY_AFTER } from '../../respond.ts';
import { cookieDetail } from '../004-cookie/detail.ts';

/* Contract 001. Every answer has the same five keys. */

export const envelope = (data: z.ZodType) =>
  z.object({
    success: z.boolean(),
    message: z.string(),
    data,
    code: z.string().nullable(),
    field: z.string().nullable(),
  });
export const done = (message: string, data: unknown) => ({
  success: true,
  message,
  data,
  code: null,
  field: null,
});
const failed = (message: string, code: string, field: string | null = null) => ({
  success: false,
  message,
  data: null,
  code,
  field,
});
export const refusal = (description: string, ...answer: Parameters<typeof failed>) =>
  json(description, envelope(z.null()), failed(...answer));

export const envelopeTokens = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
  user: shape.user,
});
export const ENVELOPE_TOKENS = {
  access_token: shape.JWT_EXAMPLE,
  refresh_token: 'rt_…',
  token_type: 'Bearer',
  expires_in: 300,
  user: shape.USER,
};
export const UNAVAILABLE = refusal(
  'The database did not answer, or too many logins at once.',
  'Try again in a moment',
  'UNAVAILABLE',
);
export const INTERNAL = refusal('Something failed on our side.', 'Internal server error', 'INTERNAL_ERROR');

/** Of a login through contract 001 or 004. */
export const LOGIN_REFUSALS = {
  400: refusal('A field is missing or malformed.', 'email: is required', 'VALIDATION_ERROR', 'email'),
  401: refusal('Wrong e-mail address or password.', 'Invalid email or password', 'INVALID_CREDENTIALS'),
  403: refusal(
    'The application of this contract is disabled, or does not allow passwords.',
    'The application "envelope" is disabled.',
    'UNAUTHORIZED_CLIENT',
  ),
  413: refusal('The body is too large.', 'The request is too large', 'TOO_LARGE'),
  429: refusal('Too many failed logins.', 'Too many failed logins. Try again later', 'RATE_LIMITED'),
  500: INTERNAL,
  503: UNAVAILABLE,
};

const detail = z.object({ error_code: z.string(), message: z.string() });
export const notAuthenticatedAnswer = json(
  'No live session for the credential. Without any credential, or with a cookie, the body has `detail`.',
  z.union([envelope(z.null()), envelope(z.null()).extend({ detail }), z.object({ detail })]),
  failed('Not authenticated', 'NOT_AUTHENTICATED'),
);

type Status = 200 | 400 | 401 | 403 | 413 | 429 | 500 | 503;

export function answer(
  c: Call,
  status: Status,
  parts: { message: string; data?: unknown; code?: string; field?: string | null },
  headers: Record<string, string> = {},
): Response {
  const { message, data = null, code = null, field = null } = parts;
  return c.json({ success: status === 200, message, data, code, field }, status, headers);
}

/** The answer to a login that opened no session. */
export function refuseLogin(c: Call, refused: Exclude<LoginOutcome, { outcome: 'started' }>): Response {
  if (refused.outcome === 'invalid_credentials')
    return answer(c, 401, { message: 'Invalid email or password', code: 'INVALID_CREDENTIALS' });
  if (refused.outcome === 'unauthorized_client')
    return answer(c, 403, { message: refused.sentence, code: 'UNAUTHORIZED_CLIENT' });
  return answer(
    c,
    429,
    { message: 'Too many failed logins. Try again later', code: 'RATE_LIMITED' },
    { 'retry-after': String(refused.retryAfterSeconds) },
  );
}

function badInput(c: Call, fault: InputFault): Response {
  const message = fault.field === null ? fault.message : `${fault.field}: ${fault.message}`;
  return answer(c, 400, { message, code: 'VALIDATION_ERROR', field: fault.field });
}

const NOT_AUTHENTICATED = { message: 'Not authenticated', code: 'NOT_AUTHENTICATED' };

/** No live session: with a header the envelope, with a cookie contract 004's detail, otherwise a body for both. */
function notAuthenticated(c: Call): Response {
  const { via } = presented(c);
  if (via === 'header') return answer(c, 401, NOT_AUTHENTICATED);
  const { message, code } = NOT_AUTHENTICATED;
  if (via === 'cookie') return cookieDetail(c, 401, code, message);
  const detail = { error_code: code, message };
  return c.json({ success: false, message, data: null, code, field: null, detail }, 401);
}

export function onEnvelopeFault(c: Call, fault: Fault): Response {
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
    default:
      return notAuthenticated(c);
  }
}
