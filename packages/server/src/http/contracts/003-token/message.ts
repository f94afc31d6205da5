import { z } from '@hono/zod-openapi';
import type { InputFault } from '../../contract/body.ts';
import { json } from '../../contract/row.ts';
import type { Call } from '../../environment.ts';
import { type Fault, RETRY_AFTER } from '../../respond.ts';

export const says = (description: string, text: string) =>
  json(description, z.object({ message: z.string() }), { message: text });
export const UNAUTHENTICATED = says('The header or a live token is missing.', 'Unauthenticated.');
export const tokens = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
});
export const TOKENS = { access_token: '1|…', refresh_token: 'rt_…', token_type: 'Bearer', expires_in: 3600 };
export const invalid = (field: string) =>
  json(
    'A field is missing or malformed.',
    z.object({ message: z.string(), errors: z.record(z.string(), z.array(z.string())) }),
    { message: `The ${field} field is required.`, errors: { [field]: [`The ${field} field is required.`] } },
  );
export const SERVER_ERROR = says('Something failed on our side.', 'Server Error');
export const TOO_LARGE = says('The body is too large.', 'The request is too large.');

export function message(
  c: Call,
  status: 200 | 401 | 403 | 413 | 429 | 503,
  text: string,
  headers: Record<string, string> = {},
): Response {
  return c.json({ message: text }, status, headers);
}

export const unauthenticated = (c: Call): Response => message(c, 401, 'Unauthenticated.');

function badInput(c: Call, fault: InputFault): Response {
  const field = fault.field ?? 'body';
  const text =
    fault.message === 'is required'
      ? `The ${field} field is required.`
      : `The ${field} field is invalid: ${fault.message}.`;
  return c.json({ message: text, errors: { [field]: [text] } }, 422);
}

export function onTokenFault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return badInput(c, fault);
  if (fault === 'too_large') return message(c, 413, 'The request is too large.');
  if (fault === 'failed' || fault === 'overloaded')
    return message(c, 503, 'Service Unavailable.', RETRY_AFTER);
  return unauthenticated(c);
}
