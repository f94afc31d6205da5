import { z } from '@hono/zod-openapi';
import { dependent, NOBODY, serviceKey } from '../../domain/caller-rule.ts';
import { problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse } from '../respond.ts';

const KEY = serviceKey('verify', 'service_key_refused');

export const getMetrics = serveRow(
  {
    method: 'get',
    path: '/metrics',
    operationId: 'getMetrics',
    tags: ['Operation'],
    summary: 'Prometheus metrics',
    description: 'For callers on this machine, or with an operator’s key that has the scope `verify`.',
    caller: dependent([NOBODY, KEY], ({ ipAddress, header }) => {
      // Behind a proxy on this machine every client would look local.
      const forwarded = header('x-forwarded-for') ?? header('forwarded');
      const here = ipAddress === '127.0.0.1' || ipAddress === '::1';
      return here && forwarded === undefined ? NOBODY : KEY;
    }),
    responses: {
      200: {
        description: 'Metrics.',
        content: { 'text/plain': { schema: z.string(), example: 'curfew_nodes 3\n' } },
      },
      ...problems('forbidden', 'insufficient_scope', 'too_many_invalid_keys'),
    },
  },
  async ({ c }) => {
    const { metrics } = c.get('site');
    return c.body(await metrics.text(), 200, { 'content-type': metrics.contentType });
  },
  (c, fault, family) => (fault === 'not_authenticated' ? refuse(c, 'forbidden') : family(c, fault)),
);
