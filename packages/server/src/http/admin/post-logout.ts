import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { type AdminTarget, endByAdministrator, keepToClient } from '../../actions/end-sessions.ts';
import { previewEnding } from '../../actions/preview-ending.ts';
import { administratorToChange } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse, settledBody } from '../respond.ts';
import { onLogoutFault } from '../v1/faults.ts';

const how = { wait: shape.wait, note: field.note, dry_run: shape.dryRun };
const target = z.discriminatedUnion('scope', [
  z.strictObject({
    scope: z.literal('sessions'),
    sessions: z.array(field.sid).min(1).max(1000),
    ...how,
  }),
  z.strictObject({ scope: z.literal('user'), user_id: field.userId, ...how }),
  z.strictObject({
    scope: z.literal('users'),
    user_ids: z.array(field.userId).min(1).max(10_000),
    ...how,
  }),
  z.strictObject({
    scope: z.literal('device'),
    user_id: field.userId,
    device_id: field.text(128).min(1),
    ...how,
  }),
  z.strictObject({ scope: z.literal('client'), client_id: field.clientId, ...how }),
  z.strictObject({ scope: z.literal('grant'), user_id: field.userId, client_id: field.clientId, ...how }),
  z.strictObject({ scope: z.literal('login'), session: field.sid, ...how }),
  z.strictObject({
    scope: z.literal('tenant'),
    tenant: field.tenant,
    confirm: z.number().int().min(0).optional(),
    ...how,
  }),
  z.strictObject({
    scope: z.literal('everyone'),
    confirm: z.number().int().min(0).optional(),
    ...how,
  }),
]);

export const postLogout = serveRow(
  {
    method: 'post',
    path: '/v1/admin/logout',
    operationId: 'endSessions',
    tags: ['Administration'],
    summary:
      'End the sessions of a list, a device, a user, several users, an application, a tenant or everyone',
    description:
      'Scope "grant" ends the sessions of one user with one application; "login" ends a session and all sessions that were begun through it. The scopes "tenant" and "everyone" first answer 409 with the count. Repeat the request with `confirm` set to that count; the real number may differ by a twentieth. A client’s key may end named sessions, of which those of other clients are skipped, and the scopes "client" and "grant" for its own client.',
    caller: administratorToChange('sessions:end', 'and clients'),
    request: {
      body: body(target, { scope: 'user', user_id: 2 }),
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
        'forbidden',
        'insufficient_scope',
        'wrong_audience',
        'csrf_failed',
        'login_too_old',
        'not_found',
        'confirmation_required',
        'too_large',
        'unsupported_media_type',
        'not_logged_out',
        'older_node',
      ),
    },
  },
  async ({ c, world, caller, input: { body: asked }, context }) => {
    const target = targetOf(asked);
    const { reach } = caller;
    if (asked.dry_run) {
      keepToClient(target, reach);
      const within = reach.clientId === null ? {} : { clientId: reach.clientId };
      return c.json(await previewEnding(world, target, within));
    }
    const ending = await endByAdministrator(
      world,
      target,
      {
        actor: caller.actor,
        reach,
        sid: caller.session?.sid ?? null,
        confirm: 'confirm' in asked ? (asked.confirm ?? null) : null,
        wait: asked.wait ?? 'replicas',
      },
      context(asked.note),
    );
    switch (ending.outcome) {
      case 'confirmation_required':
        return refuse(c, 'confirmation_required', { count: ending.count });
      case 'unknown':
        return refuse(c, 'not_found');
      case 'older_node':
        return refuse(c, 'older_node');
      case 'ended':
        return c.json(settledBody(c, ending));
    }
  },
  onLogoutFault,
);

function targetOf(asked: z.output<typeof target>): AdminTarget {
  switch (asked.scope) {
    case 'sessions':
      return { scope: 'sessions', sids: asked.sessions };
    case 'user':
      return { scope: 'user', userId: asked.user_id };
    case 'users':
      return { scope: 'users', userIds: [...new Set(asked.user_ids)] };
    case 'device':
      return { scope: 'device', userId: asked.user_id, deviceId: asked.device_id };
    case 'client':
      return { scope: 'client', clientId: asked.client_id };
    case 'grant':
      return { scope: 'grant', userId: asked.user_id, clientId: asked.client_id };
    case 'login':
      return { scope: 'login', login: asked.session.toLowerCase() };
    case 'tenant':
      return { scope: 'tenant', tenant: asked.tenant };
    case 'everyone':
      return { scope: 'everyone' };
  }
}
