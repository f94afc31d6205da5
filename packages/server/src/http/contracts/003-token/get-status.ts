import { z } from '@hono/zod-openapi';
import { HEADER_LOOKED_AT } from '../../../domain/caller-rule.ts';
import { json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import * as shape from '../../contract/shapes.ts';
import { userBody } from '../../respond.ts';
import { says, SERVER_ERROR, UNAUTHENTICATED } from './message.ts';

export const getStatus = serveRow(
  {
    method: 'get',
    path: '/api/v1/auth/status',
    operationId: 'tokenGetStatus',
    tags: ['Contract 003: token'],
    summary: 'Status',
    caller: HEADER_LOOKED_AT,
    responses: {
      200: json('Alive.', z.object({ authenticated: z.literal(true), user: shape.user }), {
        authenticated: true,
        user: shape.USER,
      }),
      401: UNAUTHENTICATED,
      500: SERVER_ERROR,
      503: says('The database did not answer.', 'Service Unavailable.'),
    },
  },
  ({ c, caller: { session } }) => c.json({ authenticated: true, user: userBody(session.user) }),
);
