import { z } from '@hono/zod-openapi';
import { usersWithin } from '../../actions/users-of-client.ts';
import { accountView } from '../../actions/account-view.ts';
import { findUser } from '../../store/users.ts';
import { administratorToRead } from '../../domain/caller-rule.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse } from '../respond.ts';
import { account, ACCOUNT, idParam, USERS_OF_KEY } from './account.ts';
import { READ_PROBLEMS } from './problems.ts';

export const getUser = serveRow(
  {
    method: 'get',
    path: '/v1/admin/users/{id}',
    operationId: 'getUser',
    tags: ['Administration'],
    summary: 'Get a user',
    description: USERS_OF_KEY,
    caller: administratorToRead('users', 'and clients'),
    request: { params: idParam },
    responses: {
      200: json('The user.', z.object({ user: account }), { user: ACCOUNT }),
      ...problems(...READ_PROBLEMS, 'invalid_request', 'not_found'),
    },
  },
  async ({ c, world, caller: { reach }, input }) => {
    const user = await findUser(world.database, input.params.id, usersWithin(world, reach));
    return user ? c.json({ user: accountView(user) }) : refuse(c, 'not_found');
  },
);
