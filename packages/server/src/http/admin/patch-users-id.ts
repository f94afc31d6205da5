import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { changeUser, ExternalIdTaken } from '../../actions/change-user.ts';
import { accountView } from '../../actions/account-view.ts';
import { DEFAULT_ISSUER } from '../../domain/client-terms.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse } from '../respond.ts';
import { account, ACCOUNT, changerOf, confirmLast, idParam, USERS_OF_KEY } from './account.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const patchUser = serveRow(
  {
    method: 'patch',
    path: '/v1/admin/users/{id}',
    operationId: 'updateUser',
    tags: ['Administration'],
    summary: 'Change, disable or enable a user',
    description:
      'Disabling a user ends every session of the user. A new role ends every session of the user except the caller’s. ' +
      USERS_OF_KEY,
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
            external_id: field.externalId
              .nullable()
              .optional()
              .describe(
                'The id that your own system has for the user. Null removes it. Not for an application’s key.',
              ),
            issuer: field.issuer.optional(),
            confirm_last_administrator: confirmLast,
            note: field.note,
          })
          .refine(
            ({ note: _note, confirm_last_administrator: _confirm, issuer: _issuer, ...change }) =>
              Object.keys(change).length > 0,
            'name, workspace, role, disabled or external_id must be given',
          ),
        { disabled: true },
      ),
    },
    responses: {
      200: json('Changed.', z.object({ user: account }), {
        user: { ...ACCOUNT, disabled_at: '2026-11-20T12:00:00.000Z' },
      }),
      ...problems(...WRITE_PROBLEMS, 'not_found', 'conflict', 'last_administrator'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { note, confirm_last_administrator: confirmsLast, external_id: id, issuer, ...rest } = input.body;
    const external = typeof id === 'string' ? { id, issuer: issuer ?? DEFAULT_ISSUER } : id;
    const change = { ...rest, ...(external === undefined ? {} : { external }) };
    const changer = { ...changerOf(caller), confirmsLast };
    try {
      const user = await changeUser(world, input.params.id, change, changer, context(note));
      return user ? c.json({ user: accountView(user) }) : refuse(c, 'not_found');
    } catch (error) {
      if (error instanceof ExternalIdTaken) return refuse(c, 'conflict', { field: 'external_id' });
      throw error;
    }
  },
);
