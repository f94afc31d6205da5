import { logOut } from '../../../actions/log-out.ts';
import { HEADER_LOOKED_AT } from '../../../domain/caller-rule.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { propagationHeader, RETRY_AFTER } from '../../respond.ts';
import { clearIfOver } from '../../session-cookie.ts';
import { message, says, SERVER_ERROR, UNAUTHENTICATED } from './message.ts';

export const postLogout = serveRow(
  {
    method: 'post',
    path: '/api/v1/auth/logout',
    operationId: 'tokenLogOut',
    tags: ['Contract 003: token'],
    summary: 'Log out: every token and session of the user',
    caller: HEADER_LOOKED_AT,
    responses: {
      200: says('Logged out.', 'Successfully logged out'),
      401: UNAUTHENTICATED,
      500: SERVER_ERROR,
      503: says('Not logged out.', 'Not logged out, try again.'),
    },
  },
  async ({ c, world, caller: { session }, context }) => {
    const settled = await logOut(world, session, { scope: 'all' }, context());
    await clearIfOver(c);
    return message(c, 200, 'Successfully logged out', propagationHeader(c, settled));
  },
  (c, fault, family) =>
    fault === 'failed' ? message(c, 503, 'Not logged out, try again.', RETRY_AFTER) : family(c, fault),
);
