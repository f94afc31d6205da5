import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { createUser } from '../../actions/change-user.ts';
import { accountView } from '../../actions/account-view.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { passwordFault } from '../../domain/password.ts';
import { inputFault } from '../contract/body.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse, refuseInput } from '../respond.ts';
import { account, ACCOUNT, changerOf } from './account.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const postUser = serveRow(
  {
    method: 'post',
    path: '/v1/admin/users',
    operationId: 'createUser',
    tags: ['Administration'],
    summary: 'Create a user',
    caller: administratorToChange('users', 'and clients'),
    request: {
      body: body(
        z.strictObject({
          email: field.email,
          name: field.text(200).default(''),
          password: field.password.optional().describe('Leave it out for a user who logs in elsewhere.'),
          role: shape.role.default('user'),
          workspace: field.text(200).default(''),
          note: field.note,
        }),
        { email: 'ada@example.com', name: 'Ada', password: 'correct horse battery staple' },
      ),
    },
    responses: {
      201: json('Created.', z.object({ user: account }), { user: ACCOUNT }),
      ...problems(...WRITE_PROBLEMS, 'conflict', 'overloaded'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { password = null, note, ...user } = input.body;
    const fault = password === null ? null : passwordFault(world.config.passwordMinLength, password);
    if (fault) return refuseInput(c, inputFault('password', fault));
    const made = await createUser(world, { ...user, password }, changerOf(caller), context(note));
    return made ? c.json({ user: accountView(made) }, 201) : refuse(c, 'conflict', { field: 'email' });
  },
);
