import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { apiKeyView } from '../../actions/api-key-view.ts';
import { administratorToRead } from '../../domain/caller-rule.ts';
import { pageOfKeys } from '../../store/issued-keys.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { API_KEY, apiKey } from './api-key.ts';
import { READ_PROBLEMS } from './problems.ts';

export const getApiKeys = serveRow(
  {
    method: 'get',
    path: '/v1/admin/api-keys',
    operationId: 'listApiKeys',
    tags: ['Administration'],
    summary: 'List the API keys',
    description: 'The keys of CURFEW_SERVICE_KEYS are not among them.',
    caller: administratorToRead('admin'),
    request: {
      query: z.object({
        revoked: z
          .enum(['true', 'false'])
          .default('false')
          .describe('Whether to include keys that are revoked or expired.'),
        before: field
          .integerParameter(1)
          .optional()
          .describe('Continue the list after the key with this id, with older ones.'),
        limit: shape.pageSize,
      }),
    },
    responses: {
      200: json('Keys, newest first.', z.object({ keys: z.array(apiKey), next: z.number().nullable() }), {
        keys: [API_KEY],
        next: null,
      }),
      ...problems(...READ_PROBLEMS, 'invalid_request'),
    },
  },
  async ({ c, world, input }) => {
    const { revoked, before = null, limit } = input.query;
    const from = { before, dead: revoked === 'true' };
    const keys = await pageOfKeys(world.database, from, limit, world.system.now());
    return c.json({
      keys: keys.map(apiKeyView),
      next: keys.length === limit ? (keys.at(-1)?.id ?? null) : null,
    });
  },
);
