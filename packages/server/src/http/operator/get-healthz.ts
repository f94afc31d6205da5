import { z } from '@hono/zod-openapi';
import { NOBODY } from '../../domain/caller-rule.ts';
import { json } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';

export const getHealth = serveRow(
  {
    method: 'get',
    path: '/healthz',
    operationId: 'getHealth',
    tags: ['Operation'],
    summary: 'Check that the process runs',
    caller: NOBODY,
    responses: { 200: json('The process runs.', z.object({ status: z.literal('ok') }), { status: 'ok' }) },
  },
  ({ c }) => c.json({ status: 'ok' }),
);
