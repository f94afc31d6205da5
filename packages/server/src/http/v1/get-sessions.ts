import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import type { OwnSession } from '@curfew/protocol/wire/session';
import { listOwnSessions } from '../../actions/list-sessions.ts';
import { SESSION_USED } from '../../domain/caller-rule.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';

export const getSessions = serveRow(
  {
    method: 'get',
    path: '/v1/sessions',
    operationId: 'listSessions',
    tags: ['Sessions'],
    summary: 'List my sessions',
    caller: SESSION_USED,
    request: {
      query: z.object({
        before: field.sid
          .optional()
          .describe('Continue the list after this session: `next` of the previous page.'),
        limit: field.integerParameter(1, 200).default(200),
      }),
    },
    responses: {
      200: json(
        "The user's live sessions, newest first.",
        z.object({
          sessions: z
            .array(shape.sessionView.extend({ current: z.boolean() }) satisfies z.ZodType<OwnSession>)
            .describe(
              'The caller’s session is always on the first page, in addition to `limit` if it is older, and on no other page.',
            ),
          next: field.sid.nullable().describe('Where the list continues; null on the last page.'),
          total: z.number().int().describe('How many live sessions there are, counted up to 10,000.'),
        }),
        { sessions: [{ ...shape.VIEW_EXAMPLE, current: true }], next: null, total: 1 },
      ),
      ...problems('invalid_request', 'not_authenticated', 'unavailable'),
    },
  },
  async ({ c, world, caller: { session }, input }) => {
    const { before = null, limit } = input.query;
    const { sessions, ...more } = await listOwnSessions(world, session, before, limit);
    return c.json({
      sessions: sessions.map((view) => ({ ...view, current: view.id === session.sid })),
      ...more,
    });
  },
);
