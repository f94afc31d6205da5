import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { removeUser } from '../../actions/change-user.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse } from '../respond.ts';
import { changerOf, confirmLast, idParam } from './account.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const deleteUser = serveRow(
  {
    method: 'delete',
    path: '/v1/admin/users/{id}',
    operationId: 'deleteUser',
    tags: ['Administration'],
    summary: 'Delete a user',
    description:
      'Ends every session of the user and erases name, e-mail address and password. The id is never used again.',
    caller: administratorToChange('users'),
    request: {
      params: idParam,
      body: body(z.strictObject({ confirm_last_administrator: confirmLast, note: field.note }), {}, false),
    },
    responses: {
      204: { description: 'Deleted.' },
      ...problems(...WRITE_PROBLEMS, 'not_found', 'last_administrator'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { note, confirm_last_administrator: confirmsLast } = input.body;
    const changer = { ...changerOf(caller), confirmsLast };
    const removed = await removeUser(world, input.params.id, changer, context(note));
    return removed ? c.body(null, 204) : refuse(c, 'not_found');
  },
);
