import { z } from '@hono/zod-openapi';
import { NOBODY } from '../../domain/caller-rule.ts';
import { readNodes } from '../../store/node-registry.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';

export const getReadiness = serveRow(
  {
    method: 'get',
    path: '/readyz',
    operationId: 'getReadiness',
    tags: ['Operation'],
    summary: 'Check that the process can serve requests',
    description:
      'Ready means that a writable primary answers. The answer includes Redis, but Redis never makes the process unready, because no call depends on it.',
    caller: NOBODY,
    responses: {
      200: json(
        'Ready.',
        z.object({
          status: z.literal('ready'),
          redis: z.enum(['up', 'down', 'off']),
          nodes: z.number().int(),
        }),
        { status: 'ready', redis: 'off', nodes: 1 },
      ),
      ...problems('unavailable'),
    },
  },
  async ({ c, world }) => {
    const { nodes } = await readNodes(world.database, world.nodes.node.id);
    const redis = world.redis ? (world.redis.healthy ? 'up' : 'down') : 'off';
    return c.json({ status: 'ready', redis, nodes: Math.max(1, nodes.length) });
  },
);
