import { z } from '@hono/zod-openapi';
import { redact } from '../../../system/log.ts';
import type { InputFault } from '../../contract/body.ts';
import { json } from '../../contract/row.ts';
import type { Call } from '../../environment.ts';
import { type Fault, RETRY_AFTER } from '../../respond.ts';

/* Contract 002. Its logout has the session token in the query, so nothing here may log or repeat the query. */

const plainError = z.object({ error: z.string(), path: z.string(), timestamp: z.string() });
export const plainRefusal = (description: string, error: string, path: string) =>
  json(description, plainError, { error, path, timestamp: '2026-11-20T12:00:00.000Z' });

export function error(
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

export function onSessionIdFault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return badInput(c, fault);
  switch (fault) {
    case 'too_large':
      return error(c, 413, 'The request is too large');
    case 'overloaded':
      return error(c, 503, 'Too many logins at once, try again', RETRY_AFTER);
    case 'failed':
      return error(c, 500, 'Internal server error');
    default:
      return error(c, 401, 'Not authenticated');
  }
}

const LARGEST = 9_223_372_036_854_775_807n;

/** A positive 64-bit integer in decimal, or null. */
export function readLong(text: string | undefined): bigint | null {
  if (text === undefined || !/^\d{1,19}$/.test(text)) return null;
  const value = BigInt(text);
  return value > 0n && value <= LARGEST ? value : null;
}
