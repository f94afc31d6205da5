import type { Renewal } from '../../actions/renew-within-limits.ts';
import type { Call } from '../environment.ts';
import { refuse } from '../respond.ts';
import { giveCookie } from '../session-cookie.ts';
import { json, problems } from '../contract/row.ts';
import { issued, ISSUED_EXAMPLE, startedBody } from './issued.ts';

export const RENEWAL_RESPONSES = {
  200: json('The new session, with the same kind of credential.', issued, ISSUED_EXAMPLE),
  ...problems(
    'invalid_request',
    'not_authenticated',
    'invalid_credentials',
    'csrf_failed',
    'wrong_audience',
    'too_large',
    'unsupported_media_type',
    'rate_limited',
    'overloaded',
    'unavailable',
  ),
};

/**
 * Answers with the session that replaced the caller's.
 * @param field the input that has the password
 */
export function answerRenewal(c: Call, renewal: Renewal, field: string): Response {
  switch (renewal.outcome) {
    case 'rate_limited':
      return refuse(c, 'rate_limited', {}, { 'retry-after': String(renewal.retryAfterSeconds) });
    case 'wrong_password':
      return refuse(c, 'invalid_credentials', { field });
    case 'ended':
      return refuse(c, 'not_authenticated');
    case 'started':
      giveCookie(c, renewal.tokens);
      return c.json(startedBody(renewal));
  }
}
