import { z } from '@hono/zod-openapi';
import { refuseSession } from '../../../actions/admit.ts';
import { mayAdminister } from '../../../domain/audience.ts';
import { userFacts, findUser } from '../../../store/users.ts';
import { HEADER_USED } from '../../../domain/caller-rule.ts';
import { json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import * as shape from '../../contract/shapes.ts';
import { userBody } from '../../respond.ts';
import { error, plainRefusal, readLong } from './error.ts';

export const getUser = serveRow(
  {
    method: 'get',
    path: '/api/users/{id}',
    operationId: 'sessionIdGetUser',
    tags: ['Contract 002: session-id'],
    summary: 'The user',
    caller: HEADER_USED,
    request: { params: z.object({ id: z.string().openapi({ example: '1' }) }), asWritten: true },
    responses: {
      200: json('The user.', shape.user, { ...shape.USER, id: 1, email: 'admin@example.com', role: 'admin' }),
      400: plainRefusal('An address that is not UTF-8.', 'id: must be UTF-8', '/api/users/%FF'),
      401: plainRefusal('No live session.', 'Not authenticated', '/api/users/1'),
      403: plainRefusal(
        'The caller is another user without administrator rights.',
        'Access denied',
        '/api/users/1',
      ),
      404: plainRefusal('For an administrator: no such user.', 'User not found', '/api/users/99'),
      500: plainRefusal('Something failed on our side.', 'Internal server error', '/api/users/1'),
    },
  },
  async ({ c, world, caller: { session }, input, context }) => {
    const wanted = readLong(input.params.id);
    if (wanted !== BigInt(session.userId) && !mayAdminister(world.clients, session)) {
      refuseSession(world, session, context(), 'admin_forbidden', 'forbidden');
      return error(c, 403, 'Access denied');
    }
    const known = wanted !== null && wanted <= BigInt(Number.MAX_SAFE_INTEGER);
    const user = known ? await findUser(world.database, Number(wanted)) : null;
    return user ? c.json(userBody(userFacts(user.id, user))) : error(c, 404, 'User not found');
  },
);
