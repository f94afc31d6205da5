import { z } from '@hono/zod-openapi';
import { refresh } from '../../../actions/refresh.ts';
import { NOBODY } from '../../../domain/caller-rule.ts';
import { body, json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { bearerTokens } from '../issued-tokens.ts';
import {
  invalid,
  says,
  SERVER_ERROR,
  TOKENS,
  tokens,
  TOO_LARGE,
  unauthenticated,
  UNAUTHENTICATED,
} from './message.ts';

export const postRefresh = serveRow(
  {
    method: 'post',
    path: '/api/v1/auth/refresh',
    operationId: 'tokenRefresh',
    tags: ['Contract 003: token'],
    summary: 'Refresh',
    caller: NOBODY,
    request: {
      body: body(z.object({ refresh_token: z.string().min(1).max(2048) }), { refresh_token: 'rt_…' }),
    },
    responses: {
      200: json('The successor of the refresh token.', tokens, TOKENS),
      401: UNAUTHENTICATED,
      413: TOO_LARGE,
      422: invalid('refresh_token'),
      500: SERVER_ERROR,
      503: says('The database did not answer.', 'Service Unavailable.'),
    },
  },
  async ({ c, world, input, context }) => {
    const refreshed = await refresh(world, input.body.refresh_token, context());
    return refreshed ? c.json(bearerTokens(refreshed.tokens)) : unauthenticated(c);
  },
);
