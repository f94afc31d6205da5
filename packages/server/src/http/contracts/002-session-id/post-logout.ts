import { z } from '@hono/zod-openapi';
import { logOutByToken } from '../../../actions/log-out.ts';
import { NOBODY } from '../../../domain/caller-rule.ts';
import { parseOpaque } from '../../../domain/credentials.ts';
import { json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import type { Call } from '../../environment.ts';
import { propagationHeader } from '../../respond.ts';
import { clearIfOver } from '../../session-cookie.ts';
import { error, plainRefusal, readLong } from './error.ts';

export const postLogout = serveRow(
  {
    method: 'post',
    path: '/api/auth/logout',
    operationId: 'sessionIdLogOut',
    tags: ['Contract 002: session-id'],
    summary: 'Log out the named session',
    caller: NOBODY,
    request: {
      query: z.object({
        userId: z.string().optional().openapi({ example: '1' }),
        sessionId: z.string().optional().openapi({ example: 'sess_…' }),
      }),
      asWritten: true,
    },
    responses: {
      200: json('Logged out.', z.object({ success: z.literal(true), message: z.string() }), {
        success: true,
        message: 'Logged out successfully',
      }),
      400: plainRefusal(
        'A parameter is missing.',
        'userId and sessionId parameters are required',
        '/api/auth/logout',
      ),
      404: plainRefusal(
        'The session is unknown or has ended, or belongs to another user.',
        'Session not found or already expired',
        '/api/auth/logout',
      ),
      500: plainRefusal('Not logged out.', 'Logout failed: Internal server error', '/api/auth/logout'),
    },
  },
  async ({ c, world, input, context }) => {
    const userId = readLong(input.query.userId);
    const { sessionId = '' } = input.query;
    if (userId === null || sessionId === '') return parametersRequired(c);
    const token = parseOpaque('session', sessionId);
    // A text without the form of a token never was one, and no node can hold it for alive.
    const settled = token && (await logOutByToken(world, token, Number(userId), context()));
    if (!settled?.ended) return error(c, 404, 'Session not found or already expired');
    await clearIfOver(c);
    return c.json({ success: true, message: 'Logged out successfully' }, 200, propagationHeader(c, settled));
  },
  (c, fault) =>
    typeof fault === 'object' ? parametersRequired(c) : error(c, 500, 'Logout failed: Internal server error'),
);

const parametersRequired = (c: Call): Response =>
  error(c, 400, 'userId and sessionId parameters are required');
