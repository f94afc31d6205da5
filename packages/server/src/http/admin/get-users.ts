import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { findUsers, SearchStopped } from '../../actions/find-users.ts';
import { issuerWithin } from '../../actions/users-of-client.ts';
import { accountView } from '../../actions/account-view.ts';
import { findUserOf } from '../../store/users.ts';
import { administratorToRead } from '../../domain/caller-rule.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse } from '../respond.ts';
import { account, ACCOUNT } from './account.ts';
import { READ_PROBLEMS } from './problems.ts';

export const getUsers = serveRow(
  {
    method: 'get',
    path: '/v1/admin/users',
    operationId: 'listUsers',
    tags: ['Administration'],
    summary: 'Find users',
    description:
      'A key of an application finds a user by `external_id` only. The search is for administrators and operators’ keys.',
    caller: administratorToRead('users', 'and clients'),
    request: {
      query: z.object({
        query: field.text(200).optional().describe('Any part of the name or e-mail address.'),
        external_id: field.externalId.optional().describe('Only the user with this id in your own system.'),
        issuer: field.issuerOfId,
        after: field
          .integerParameter(0)
          .default(0)
          .describe('Continue the list after the user with this id.'),
        limit: shape.pageSize,
      }),
    },
    responses: {
      200: json(
        'The users, ordered by id.',
        z.object({ users: z.array(account), next: z.number().nullable() }),
        {
          users: [ACCOUNT],
          next: null,
        },
      ),
      ...problems(...READ_PROBLEMS, 'invalid_request', 'took_too_long'),
    },
  },
  async ({ c, world, caller: { reach }, input }) => {
    const { query = null, external_id: id, after, limit } = input.query;
    if (id !== undefined) {
      const issuer = issuerWithin(world, reach, input.query.issuer, 'issuer');
      const user = await findUserOf(world.database, { issuer, id });
      return c.json({ users: user ? [accountView(user)] : [], next: null });
    }
    if (reach.clientId !== null)
      return refuse(c, 'insufficient_scope', {
        field: 'external_id',
        detail: 'external_id must be given: a key of an application finds users by it only.',
      });
    try {
      const users = await findUsers(world, query, after, limit, c.req.raw.signal);
      return c.json({
        users: users.map(accountView),
        next: users.length === limit ? (users.at(-1)?.id ?? null) : null,
      });
    } catch (error) {
      if (error instanceof SearchStopped) return refuse(c, 'took_too_long');
      throw error;
    }
  },
);
