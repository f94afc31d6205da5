import { z } from '@hono/zod-openapi';
import * as field from '../../../actions/fields.ts';
import { readThrough } from '../../../cache/profiles.ts';
import { SESSION_USED } from '../../../domain/caller-rule.ts';
import { findUser } from '../../../store/users.ts';
import { json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { answer, done, envelope, INTERNAL, notAuthenticatedAnswer, UNAVAILABLE } from './envelope.ts';

export const getWorkspace = serveRow(
  {
    method: 'get',
    path: '/auth/workspace',
    operationId: 'getWorkspace',
    tags: ['Contract 001: envelope'],
    summary: "The user's workspace",
    caller: SESSION_USED,
    responses: {
      200: json(
        'The workspace.',
        envelope(z.object({ user_id: field.userId, workspace: z.string() })),
        done('Workspace retrieved', { user_id: 2, workspace: 'main' }),
      ),
      401: notAuthenticatedAnswer,
      500: INTERNAL,
      503: UNAVAILABLE,
    },
  },
  async ({ c, world, caller: { session } }) => {
    const data = await readThrough(world.copies, 'user_workspace', session, async () => ({
      user_id: session.userId,
      workspace: (await findUser(world.database, session.userId))?.workspace ?? '',
    }));
    return answer(c, 200, { message: 'Workspace retrieved', data });
  },
);
