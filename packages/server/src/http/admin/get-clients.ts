import type { ListedClient } from '@curfew/protocol/wire/client';
import { z } from '@hono/zod-openapi';
import { clientView } from '../../actions/client-view.ts';
import { administratorLookingOn } from '../../domain/caller-rule.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { client, CLIENT } from './client.ts';
import { READ_PROBLEMS } from './problems.ts';

export const getClients = serveRow(
  {
    method: 'get',
    path: '/v1/admin/clients',
    operationId: 'listClients',
    tags: ['Administration'],
    summary: 'List applications with their number of sessions',
    caller: administratorLookingOn('admin'),
    responses: {
      200: json(
        'The applications that this node knows, by name.',
        z.object({
          clients: z.array(
            client.extend({
              sessions: z.number().int().nullable().describe('Null before the first count.'),
            }) satisfies z.ZodType<ListedClient>,
          ),
          counted_at: z
            .string()
            .nullable()
            .describe(
              'When the sessions were counted. Curfew counts them from time to time, because many sessions take long to count.',
            ),
        }),
        {
          clients: [{ ...CLIENT, sessions: 48_210 }],
          counted_at: '2026-11-20T12:34:56.000Z',
        },
      ),
      ...problems(...READ_PROBLEMS),
    },
  },
  ({ c, world }) => {
    const counted = c.get('site').countSessions();
    const clients = world.clients.records.map((record) => ({
      ...clientView(record),
      sessions: counted && (counted.value.get(record.clientId) ?? 0),
    }));
    return c.json({
      clients: clients.toSorted((a, b) => a.name.localeCompare(b.name, 'en')),
      counted_at: counted?.at.toISOString() ?? null,
    });
  },
);
