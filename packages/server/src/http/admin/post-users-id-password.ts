import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { resetPassword } from '../../actions/change-user.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { passwordFault } from '../../domain/password.ts';
import { inputFault } from '../contract/body.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse, refuseInput } from '../respond.ts';
import { changerOf, idParam } from './account.ts';
import { WRITE_PROBLEMS } from './problems.ts';

export const postUserPassword = serveRow(
  {
    method: 'post',
    path: '/v1/admin/users/{id}/password',
    operationId: 'resetPassword',
    tags: ['Administration'],
    summary: "Reset a user's password",
    description:
      'Without a password in the body Curfew generates a random one and returns it once. Ends every session of the user except the caller’s.',
    caller: administratorToChange('users'),
    request: {
      params: idParam,
      body: body(z.strictObject({ password: field.password.optional(), note: field.note }), {}, false),
    },
    responses: {
      200: json('Reset.', z.object({ password: z.string().optional() }), { password: 'q3rN-…' }),
      ...problems(...WRITE_PROBLEMS, 'not_found', 'overloaded'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { password: given, note } = input.body;
    const fault = given === undefined ? null : passwordFault(world.config.passwordMinLength, given);
    if (fault) return refuseInput(c, inputFault('password', fault));
    const password = given ?? world.system.randomBytes(15).toString('base64url');
    const user = await resetPassword(world, input.params.id, password, changerOf(caller), context(note));
    if (!user) return refuse(c, 'not_found');
    return c.json(given === undefined ? { password } : {});
  },
);
