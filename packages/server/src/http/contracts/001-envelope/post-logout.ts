import { z } from '@hono/zod-openapi';
import { evicted } from '../../../actions/await-readers.ts';
import { logOut } from '../../../actions/log-out.ts';
import { HEADER_LOOKED_AT } from '../../../domain/caller-rule.ts';
import { json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { propagationHeader, RETRY_AFTER } from '../../respond.ts';
import { clearIfOver } from '../../session-cookie.ts';
import { answer, done, envelope, notAuthenticatedAnswer, refusal } from './envelope.ts';

export const postLogout = serveRow(
  {
    method: 'post',
    path: '/auth/logout',
    operationId: 'envelopeLogOut',
    tags: ['Contract 001: envelope'],
    summary: 'Log out',
    description: 'With an Authorization header (001) it ends every session of the user.',
    caller: HEADER_LOOKED_AT,
    // It has no parameters, but rejects a query that is not UTF-8.
    request: { query: z.object({}), asWritten: true },
    responses: {
      200: json('Logged out.', envelope(z.null()), done('Logout successful', null)),
      400: refusal('An address that is not UTF-8.', 'scope: must be UTF-8', 'VALIDATION_ERROR', 'scope'),
      401: notAuthenticatedAnswer,
      503: refusal('Bearer: not logged out.', 'Not logged out, try again', 'LOGOUT_FAILED'),
    },
  },
  async ({ c, world, caller: { session }, context }) => {
    const settled = await logOut(world, session, { scope: 'all' }, context());
    await evicted(world);
    await clearIfOver(c);
    return answer(c, 200, { message: 'Logout successful' }, propagationHeader(c, settled));
  },
  (c, fault, family) =>
    fault === 'failed'
      ? answer(c, 503, { message: 'Not logged out, try again', code: 'LOGOUT_FAILED' }, RETRY_AFTER)
      : family(c, fault),
);
