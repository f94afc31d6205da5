import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { changePassword } from '../../actions/change-user.ts';
import { renewWithinLimits } from '../../actions/renew-within-limits.ts';
import { OWN_SESSION_TO_CHANGE } from '../../domain/caller-rule.ts';
import { passwordFault } from '../../domain/password.ts';
import { inputFault } from '../contract/body.ts';
import { body } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuseInput } from '../respond.ts';
import { answerRenewal, RENEWAL_RESPONSES } from './renewed.ts';

export const postPassword = serveRow(
  {
    method: 'post',
    path: '/v1/password',
    operationId: 'changePassword',
    tags: ['Sessions'],
    summary: 'Change my password',
    description:
      'Changes the password and ends every session of the user. A new session replaces the caller’s, and the answer has its credentials. A wrong current password counts as a failed login.',
    caller: OWN_SESSION_TO_CHANGE,
    request: {
      body: body(z.strictObject({ current_password: field.password, new_password: field.password }), {
        current_password: 'password123',
        new_password: 'correct horse battery staple',
      }),
    },
    responses: RENEWAL_RESPONSES,
  },
  async ({ c, world, caller: { session }, input, context }) => {
    const { current_password: current, new_password: next } = input.body;
    const fault = passwordFault(world.config.passwordMinLength, next);
    if (fault) return refuseInput(c, inputFault('new_password', fault));
    const renewal = await renewWithinLimits(world, session, context(), () =>
      changePassword(world, session, current, next, context()),
    );
    return answerRenewal(c, renewal, 'current_password');
  },
);
