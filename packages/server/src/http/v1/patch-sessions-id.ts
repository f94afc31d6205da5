import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { nameOwnDevice } from '../../actions/name-device.ts';
import { SESSION_TO_CHANGE } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse } from '../respond.ts';

export const patchSession = serveRow(
  {
    method: 'patch',
    path: '/v1/sessions/{id}',
    operationId: 'renameSession',
    tags: ['Sessions'],
    summary: 'Name one of my devices',
    description:
      'Names the device of this session, in all of the caller’s sessions on that device. Curfew removes control characters and bidi controls. An empty name removes the name.',
    caller: SESSION_TO_CHANGE,
    request: {
      params: z.object({ id: field.sid.openapi({ example: shape.SID }) }),
      body: body(z.strictObject({ name: field.text(100) }), { name: 'Work laptop' }),
    },
    responses: {
      200: json('Named.', z.object({ id: field.sid, name: z.string().describe('The name as stored.') }), {
        id: shape.SID,
        name: 'Work laptop',
      }),
      ...problems(
        'invalid_request',
        'not_authenticated',
        'csrf_failed',
        'not_found',
        'too_large',
        'unsupported_media_type',
        'unavailable',
      ),
    },
  },
  async ({ c, world, caller, input }) => {
    const { id } = input.params;
    const name = await nameOwnDevice(world, caller.session, id, input.body.name);
    return name === null ? refuse(c, 'not_found') : c.json({ id, name });
  },
);
