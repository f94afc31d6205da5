import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { createOrGetUser } from '../../actions/create-or-get-user.ts';
import { createUser } from '../../actions/change-user.ts';
import { issuerWithin } from '../../actions/users-of-client.ts';
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
    description:
      'With `external_id`, the id that your own system has for the user, the answer is 200 with the existing user if there is one: the user stays as is. The id is unique within `issuer`. An e-mail address that another user has is 409: accounts are never linked.',
    caller: administratorToChange('users', 'and clients'),
    request: {
      body: body(
        z.strictObject({
          email: field.email,
          name: field.text(200).default(''),
          password: field.password.optional().describe('Leave it out for a user who logs in elsewhere.'),
          role: shape.role.default('user'),
          workspace: field.text(200).default(''),
          external_id: field.externalId.optional(),
          issuer: field.issuerOfId,
          note: field.note,
        }),
        { email: 'ada@example.com', name: 'Ada', password: 'correct horse battery staple' },
      ),
    },
    responses: {
      200: json('The user that has this `external_id` already.', z.object({ user: account }), {
        user: { ...ACCOUNT, external_id: 'u-4711', issuer: 'default' },
      }),
      201: json('Created.', z.object({ user: account }), { user: ACCOUNT }),
      ...problems(...WRITE_PROBLEMS, 'conflict', 'overloaded'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { password = null, note, external_id: id, issuer: givenIssuer, ...user } = input.body;
    const fault = password === null ? null : passwordFault(world.config.passwordMinLength, password);
    if (fault) return refuseInput(c, inputFault('password', fault));
    if (id !== undefined) {
      const issuer = issuerWithin(world, caller.reach, givenIssuer, 'issuer');
      // Others' back ends find the account by the id: one application may not keep a password to it.
      if (password !== null && caller.reach.clientId !== null)
        return refuse(c, 'insufficient_scope', { field: 'password' });
      const wanted = { ...user, password };
      const found = await createOrGetUser(world, { issuer, id }, wanted, changerOf(caller), context(note));
      if (found.outcome === 'taken') return refuse(c, 'conflict', { field: 'email' });
      return c.json({ user: accountView(found.user) }, found.outcome === 'created' ? 201 : 200);
    }
    const made = await createUser(world, { ...user, password }, changerOf(caller), context(note));
    return made ? c.json({ user: accountView(made) }, 201) : refuse(c, 'conflict', { field: 'email' });
  },
);
