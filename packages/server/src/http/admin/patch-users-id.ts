import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { changeUser } from '../../actions/change-user.ts';
import { accountView } from '../../actions/account-view.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse } from '../respond.ts';
import { account, ACCOUNT, changerOf, confirmLast, idParam } from './account.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const patchUser = serveRow(
  {
    method: 'patch',
    path: '/v1/admin/users/{id}',
    operationId: 'updateUser',
    tags: ['Administration'],
    summary: 'Change, disable or enable a user',
    description:
      'Disabling a user ends every session of the user. A new role ends every session of the user except the caller’s.',
    caller: administratorToChange('users', 'and clients'),
    request: {
      params: idParam,
      body: body(
        z
          .strictObject({
            name: field.text(200).optional(),
            workspace: field.text(200).optional(),
            role: shape.role.optional(),
            disabled: z.boolean().optional(),
            confirm_last_administrator: confirmLast,
            note: field.note,
          })
          .refine(
            ({ note: _note, confirm_last_administrator: _confirm, ...change }) =>
              Object.keys(change).length > 0,
            'name, workspace, role or disabled must be given',
          ),
        { disabled: true },
      ),
    },
    responses: {
      200: json('Changed.', z.object({ user: account }), {
        user: { ...ACCOUNT, disabled_at: '2026-11-20T12:00:00.000Z' },
      }),
      ...problems(...WRITE_PROBLEMS, 'not_found', 'last_administrator'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { note, confirm_last_administrator: confirmsLast, ...change } = input.body;
    const changer = { ...changerOf(caller), confirmsLast };
    const user = await changeUser(world, input.params.id, change, changer, context(note));
    return user ? c.json({ user: accountView(user) }) : refuse(c, 'not_found');
  },
);
