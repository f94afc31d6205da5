import { z } from '@hono/zod-openapi';
import { refresh } from '../../../actions/refresh.ts';
import { NOBODY } from '../../../domain/caller-rule.ts';
import { body, json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { userBody } from '../../respond.ts';
import { bearerTokens } from '../issued-tokens.ts';
import {
  answer,
  done,
  envelope,
  ENVELOPE_TOKENS,
  envelopeTokens,
  INTERNAL,
  refusal,
  UNAVAILABLE,
} from './envelope.ts';

export const postRefresh = serveRow(
  {
    method: 'post',
    path: '/auth/refresh',
    operationId: 'envelopeRefresh',
    tags: ['Contract 001: envelope'],
    summary: 'Refresh',
    caller: NOBODY,
    request: {
      body: body(z.object({ refresh_token: z.string().min(1).max(2048) }), { refresh_token: 'rt_…' }),
    },
    responses: {
      200: json(
        'The successor of the refresh token.',
        envelope(envelopeTokens),
        done('Token refreshed', ENVELOPE_TOKENS),
      ),
      400: refusal(
        'The field is missing or malformed.',
        'refresh_token: is required',
        'VALIDATION_ERROR',
        'refresh_token',
      ),
      401: refusal(
        'The token is unknown, expired or used again.',
        'Invalid refresh token',
        'INVALID_REFRESH_TOKEN',
      ),
      413: refusal('The body is too large.', 'The request is too large', 'TOO_LARGE'),
      500: INTERNAL,
      503: UNAVAILABLE,
    },
  },
  async ({ c, world, input, context }) => {
    const refreshed = await refresh(world, input.body.refresh_token, context());
    if (!refreshed)
      return answer(c, 401, { message: 'Invalid refresh token', code: 'INVALID_REFRESH_TOKEN' });
    const data = { ...bearerTokens(refreshed.tokens), user: userBody(refreshed.session.user) };
    return answer(c, 200, { message: 'Token refreshed', data });
  },
);
