import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { confirmLogin } from '../../actions/confirm-login.ts';
import { renewWithinLimits } from '../../actions/renew-within-limits.ts';
import { OWN_SESSION_TO_CHANGE } from '../../domain/caller-rule.ts';
import { body } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { answerRenewal, RENEWAL_RESPONSES } from './renewed.ts';

export const postSessionConfirm = serveRow(
  {
    method: 'post',
    path: '/v1/session/confirm',
    operationId: 'confirmLogin',
    tags: ['Sessions'],
    summary: 'Confirm my password',
    description:
      'Call this after the problem `login_too_old`. A new session with a recent login replaces this one. The answer has its credentials, and the old ones end, access tokens included. A wrong password counts as a failed login.',
    caller: OWN_SESSION_TO_CHANGE,
    request: { body: body(z.strictObject({ password: field.password }), { password: 'password123' }) },
    responses: RENEWAL_RESPONSES,
  },
  async ({ c, world, caller: { session }, input, context }) => {
    const renewal = await renewWithinLimits(world, session, context(), () =>
      confirmLogin(world, session, input.body.password, context()),
    );
    return answerRenewal(c, renewal, 'password');
  },
);
