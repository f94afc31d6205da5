import { z } from '@hono/zod-openapi';
import { administratorToRead } from '../../domain/caller-rule.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { READ_PROBLEMS } from './problems.ts';
import { SIGNING_KEY, signingKeyView } from './signing-key.ts';

export const getKeys = serveRow(
  {
    method: 'get',
    path: '/v1/admin/keys',
    operationId: 'listKeys',
    tags: ['Administration'],
    summary: 'List the signing keys',
    caller: administratorToRead('admin'),
    responses: {
      200: json('The keys, without their private parts.', z.object({ keys: z.array(signingKeyView) }), {
        keys: [SIGNING_KEY],
      }),
      ...problems(...READ_PROBLEMS),
    },
  },
  ({ c, world }) => c.json({ keys: world.keys.list() }),
);
