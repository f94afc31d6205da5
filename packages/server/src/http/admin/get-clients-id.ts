import { z } from '@hono/zod-openapi';
import { clientView } from '../../actions/client-view.ts';
import { administratorToRead } from '../../domain/caller-rule.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse } from '../respond.ts';
import { client, CLIENT, clientParam } from './client.ts';
import { READ_PROBLEMS } from './problems.ts';

export const getClient = serveRow(
  {
    method: 'get',
    path: '/v1/admin/clients/{id}',
    operationId: 'getClient',
    tags: ['Administration'],
    summary: 'Show an application',
    caller: administratorToRead('admin'),
    request: { params: clientParam },
    responses: {
      200: json('The application.', z.object({ client }), { client: CLIENT }),
      ...problems(...READ_PROBLEMS, 'invalid_request', 'not_found'),
    },
  },
  ({ c, world, input }) => {
    const found = world.clients.records.find(({ clientId }) => clientId === input.params.id);
    return found ? c.json({ client: clientView(found) }) : refuse(c, 'not_found');
  },
);
