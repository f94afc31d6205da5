import { PROBLEMS } from '@curfew/protocol/errors';
import { z } from '@hono/zod-openapi';
import { json, type RowAnswer } from '../contract/row.ts';
import type { Call } from '../environment.ts';
import { type Fault, RETRY_AFTER } from '../respond.ts';

/* Errors as OAuth libraries read them: RFC 6749 section 5.2, with the codes of RFC 6750 and RFC 7009 beside it. */

const ERRORS = {
  invalid_request: 400,
  invalid_grant: 400,
  invalid_client: 401,
  insufficient_scope: 403,
  too_many_invalid_keys: 429,
  temporarily_unavailable: 503,
} as const;
type ErrorCode = keyof typeof ERRORS;
type ErrorStatus = (typeof ERRORS)[ErrorCode] | 413 | 415;

const schema = z.object({ error: z.string(), error_description: z.string() }).openapi('OAuthError');

/** The error answers of a row. */
export function oauthErrors(
  answers: Partial<Record<ErrorStatus, [ErrorCode, string]>>,
): Record<number, RowAnswer> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, [error, description]]) => [
      status,
      json(description, schema, { error, error_description: description }),
    ]),
  );
}

/** An error answer. */
export function oauthError(
  c: Call,
  error: ErrorCode,
  description: string,
  { status = ERRORS[error], headers = {} }: { status?: ErrorStatus; headers?: Record<string, string> } = {},
): Response {
  return c.json({ error, error_description: description }, status, headers);
}

/** A fault of a request, or of Curfew. @param notDone what a caller must believe when Curfew fails */
export function oauthFault(c: Call, fault: Fault, notDone: string): Response {
  if (typeof fault === 'object') {
    const description = fault.field === null ? fault.message : `${fault.field}: ${fault.message}`;
    return oauthError(c, 'invalid_request', description, fault.kind === 'media_type' ? { status: 415 } : {});
  }
  switch (fault) {
    case 'not_authenticated':
      return oauthError(c, 'invalid_client', 'The key is not valid.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    case 'too_many_invalid_keys':
      return oauthError(c, 'too_many_invalid_keys', PROBLEMS.too_many_invalid_keys.title);
    case 'too_large':
      return oauthError(c, 'invalid_request', 'The request is too large.', { status: 413 });
    case 'failed':
    case 'overloaded':
      return oauthError(c, 'temporarily_unavailable', notDone, { headers: RETRY_AFTER });
    default:
      return oauthError(c, 'insufficient_scope', 'The key may not end sessions.');
  }
}
