import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import type { UserSession } from '@curfew/protocol/wire/session';
import { listSessions } from '../../actions/list-sessions.ts';
import { issuerWithin } from '../../actions/users-of-client.ts';
import { reaches } from '../../domain/api-key.ts';
import { findUserOf } from '../../store/users.ts';
import { administratorToRead } from '../../domain/caller-rule.ts';
import { END_REASONS } from '../../domain/session.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse } from '../respond.ts';
import { READ_PROBLEMS } from './problems.ts';

export const getSessions = serveRow(
  {
    method: 'get',
    path: '/v1/admin/sessions',
    operationId: 'listAllSessions',
    tags: ['Administration'],
    summary: 'List the sessions of everyone, a user or an application',
    caller: administratorToRead('sessions:end', 'and clients'),
    request: {
      query: z.object({
        user_id: field.integerParameter(1).optional(),
        external_id: field.externalId
          .optional()
          .describe('Only sessions of the user with this id in your own system.'),
        issuer: field.issuerOfId,
        client_id: field.clientId.optional(),
        ended: z
          .enum(['true', 'false', 'only'])
          .default('false')
          .describe('Include ended sessions, and how they ended. "only": list only ended sessions.'),
        before: field.sid.optional().describe('Continue the list after this session, with older ones.'),
        limit: shape.pageSize,
      }),
    },
    responses: {
      200: json(
        'Sessions, newest first.',
        z.object({
          sessions: z.array(
            shape.sessionView.extend({
              email: z.string(),
              active: z.boolean(),
              ended: z.object({ at: z.string(), by: z.string(), reason: z.enum(END_REASONS) }).nullable(),
            }) satisfies z.ZodType<UserSession>,
          ),
          next: field.sid.nullable(),
        }),
        {
          sessions: [{ ...shape.VIEW_EXAMPLE, email: 'test@example.com', active: true, ended: null }],
          next: null,
        },
      ),
      ...problems(...READ_PROBLEMS, 'invalid_request'),
    },
  },
  async ({ c, world, caller: { reach }, input }) => {
    const {
      user_id: givenId = null,
      external_id: externalId,
      issuer: givenIssuer,
      client_id: clientId = reach.clientId,
      ended,
      before = null,
      limit,
    } = input.query;
    if (clientId !== null && !reaches(reach, clientId))
      return refuse(c, 'insufficient_scope', { field: 'client_id' });
    const user =
      externalId === undefined
        ? null
        : await findUserOf(world.database, {
            issuer: issuerWithin(world, reach, givenIssuer, 'issuer'),
            id: externalId,
          });
    const userId = user?.id ?? givenId;
    const isNobody = externalId !== undefined && (user === null || (givenId ?? user.id) !== user.id);
    if (isNobody) return c.json({ sessions: [], next: null });
    const alive = ended === 'true' ? null : ended === 'false';
    const sessions = await listSessions(world, { userId, clientId, before, alive }, limit);
    return c.json({ sessions, next: sessions.length === limit ? (sessions.at(-1)?.id ?? null) : null });
  },
);
