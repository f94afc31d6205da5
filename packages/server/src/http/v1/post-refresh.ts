import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { refresh } from '../../actions/refresh.ts';
import { NOBODY } from '../../domain/caller-rule.ts';
import { parseOpaque } from '../../domain/credentials.ts';
import { body, json, problems, sayingWhy } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuseSayingWhy } from './faults.ts';
import { issued, ISSUED_EXAMPLE, issuedBody } from './issued.ts';

export const postRefresh = serveRow(
  {
    method: 'post',
    path: '/v1/refresh',
    operationId: 'refreshSession',
    tags: ['Sessions'],
    summary: 'Refresh',
    description:
      'Takes a refresh token, which is then spent, and returns its successor. Within the grace period (10 s) a second use returns the same successor, unless both the address and the user agent differ from the first use. A later use ends the session.',
    caller: NOBODY,
    request: {
      body: body(
        z.strictObject({
          refresh_token: z.string().min(1).max(2048),
          client_id: field.clientId
            .optional()
            .describe(
              'The application that refreshes. If the token was issued to another application, it was copied: its session ends.',
            ),
        }),
        { refresh_token: 'rt_…' },
      ),
    },
    responses: {
      200: json('The successor of the refresh token.', issued, ISSUED_EXAMPLE),
      ...sayingWhy(
        problems(
          'invalid_request',
          'not_authenticated',
          'too_large',
          'unsupported_media_type',
          'unavailable',
        ),
      ),
    },
  },
  async ({ c, world, input, context }) => {
    const { refresh_token: token, client_id: clientId } = input.body;
    const refreshed = await refresh(world, token, context(), clientId);
    return refreshed ? c.json(issuedBody(refreshed)) : refuseSayingWhy(c, parseOpaque('refresh', token));
  },
);
