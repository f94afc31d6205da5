import { z } from '@hono/zod-openapi';
import { type Answer, json } from '../../contract/row.ts';
import type { Call } from '../../environment.ts';

/* Contract 004: the session in a cookie. Its paths are those of contract 001, and its errors carry `detail`. */

/** The terms of a session that is kept in a cookie. */
export const COOKIE = { contract: 'cookie', grant: 'cookie' } as const;

export const detail = z.object({ detail: z.object({ error_code: z.string(), message: z.string() }) });

export const cookieRefusal = (description: string, error_code: string, message: string): Answer =>
  json(description, detail, { detail: { error_code, message } });

export function cookieDetail(
  c: Call,
  status: 400 | 401 | 403 | 500,
  code: string,
  message: string,
): Response {
  return c.json({ detail: { error_code: code, message } }, status);
}
