import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { endsItself, logOut, type LogoutScope } from '../../actions/log-out.ts';
import { SESSION_TO_CHANGE } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse, settledBody } from '../respond.ts';
import { clearAfterLogout } from '../session-cookie.ts';
import { onLogoutFault } from './faults.ts';

export const deleteSession = serveRow(
  {
    method: 'delete',
    path: '/v1/sessions/{id}',
    operationId: 'endSession',
    tags: ['Sessions'],
    summary: 'End one of my sessions',
    caller: SESSION_TO_CHANGE,
    request: {
      params: z.object({ id: field.sid.openapi({ example: shape.SID }) }),
      body: body(z.strictObject({ note: field.note }), {}, false),
    },
    responses: {
      200: json('Ended.', shape.logout, { ...shape.LOGOUT_EXAMPLE, ended: 1 }),
      ...problems(
        'invalid_request',
        'not_authenticated',
        'csrf_failed',
        'login_too_old',
        'not_found',
        'too_large',
        'unsupported_media_type',
        'not_logged_out',
      ),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const target: LogoutScope = { scope: 'selected', sessions: [input.params.id] };
    const settled = await logOut(world, caller.session, target, context(input.body.note), { mayAsk: true });
    if (settled.ended === 0) return refuse(c, 'not_found');
    await clearAfterLogout(c, caller, endsItself(caller.session, target));
    return c.json(settledBody(c, settled));
  },
  onLogoutFault,
);
