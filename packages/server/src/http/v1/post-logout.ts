import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { endsItself, logOut, type LogoutScope, previewLogOut } from '../../actions/log-out.ts';
import { SESSION_TO_CHANGE } from '../../domain/caller-rule.ts';
import { inputFault } from '../contract/body.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { OlderNode } from '../../store/revoke-scope.ts';
import { refuse, refuseInput, settledBody } from '../respond.ts';
import { clearAfterLogout } from '../session-cookie.ts';
import { onLogoutFault } from './faults.ts';

export const postLogout = serveRow(
  {
    method: 'post',
    path: '/v1/logout',
    operationId: 'logOut',
    tags: ['Sessions'],
    summary: 'Log out',
    description:
      'Without a body it ends this session. Answers when no replica accepts a credential of an ended session any more. To end other sessions, a recent login may be required (CURFEW_CONFIRM_AFTER_SECONDS).',
    caller: SESSION_TO_CHANGE,
    request: {
      body: body(
        z.strictObject({
          scope: z.enum(['this', 'others', 'all', 'selected', 'device']).default('this'),
          sessions: z.array(field.sid).min(1).max(1000).optional().describe('With scope "selected".'),
          device: field
            .text(128)
            .min(1)
            .optional()
            .describe('With scope "device". Default: the device of this session.'),
          wait: shape.wait,
          note: field.note,
          dry_run: shape.dryRun,
        }),
        { scope: 'all' },
        false,
      ),
    },
    responses: {
      200: json(
        'The sessions ended; or, with `dry_run`, what would end.',
        shape.logoutOrPreview,
        shape.LOGOUT_EXAMPLE,
      ),
      ...problems(
        'invalid_request',
        'not_authenticated',
        'csrf_failed',
        'login_too_old',
        'too_large',
        'unsupported_media_type',
        'not_logged_out',
        'older_node',
      ),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { scope, sessions, device, wait, note, dry_run: dryRun } = input.body;
    if (scope === 'selected' && !sessions) return refuseInput(c, inputFault('sessions', 'is required'));
    const target: LogoutScope =
      scope === 'selected'
        ? { scope, sessions: sessions ?? [] }
        : scope === 'device'
          ? { scope, device }
          : { scope };
    if (dryRun) return c.json(await previewLogOut(world, caller.session, target));
    const ending = logOut(world, caller.session, target, context(note), { wait, mayAsk: true });
    const settled = await ending.catch((error: unknown) => {
      if (error instanceof OlderNode) return null;
      throw error;
    });
    if (settled === null) return refuse(c, 'older_node');
    await clearAfterLogout(c, caller, endsItself(caller.session, target));
    return c.json(settledBody(c, settled));
  },
  onLogoutFault,
);
