import { z } from '@hono/zod-openapi';
import { durableOf, READERS } from '../../cluster/follow/readers.ts';
import { DEGRADED_CODES, type SystemState } from '@curfew/protocol/wire/system-state';
import { administratorLookingOn } from '../../domain/caller-rule.ts';
import { json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { READ_PROBLEMS } from './problems.ts';

const DURABLE = durableOf(READERS);

const milliseconds = z.number().nullable();
const span = z.object({
  at: z.string(),
  count: z
    .number()
    .int()
    .describe('How many confirmations there were. Logouts that are committed together share one.'),
  p50: milliseconds,
  p99: milliseconds,
  max: milliseconds,
  waited_out: z
    .number()
    .int()
    .describe('How many replicas did not acknowledge, so that logouts waited for their lease to run out.'),
});
const systemState = z
  .object({
    at: z.string(),
    node: z
      .object({
        id: z.string(),
        fresh: z.boolean().describe('Whether the node may answer checks from memory.'),
        age_ms: z.number().nullable().describe('The age of its last complete read of the log.'),
        lease_ms: z.number(),
        remembered: z.number().int().describe('How many credentials are in memory.'),
        sole: z.boolean().describe('True if no other process can use this database.'),
      })
      .describe('The node that answers.'),
    nodes: z.array(
      z.object({
        id: z.string(),
        this: z.boolean(),
        started_at: z.string(),
        silent: z.boolean().describe('True if the node has not reported for several leases.'),
      }),
    ),
    verifiers: z
      .array(
        z.object({
          replica: z.string().describe('The name that the verifier gives itself.'),
          key: z
            .object({ id: z.number().int(), name: z.string() })
            .nullable()
            .describe('The API key that it uses; null if it uses one of CURFEW_SERVICE_KEYS.'),
          address: z.string().nullable(),
          since: z.string(),
          age_ms: z.number().nullable().describe('The age of its data, by its last renewal.'),
          unread_bytes: z.number().int(),
          behind: z.number().int().describe('How many endings it has not acknowledged.'),
        }),
      )
      .describe('The verifiers that are connected to this node, at most 500.'),
    verifier_count: z.number().int(),
    propagation: z
      .object({ span_ms: z.number().int(), spans: z.array(span) })
      .describe(
        'How long logouts at this node took until they were true everywhere, for the last ten minutes.',
      ),
    readers: z
      .array(
        z.object({
          name: z.enum(DURABLE.map(({ name }) => name)),
          behind: z
            .number()
            .int()
            .nullable()
            .describe('How many events it still has to process; null when the database did not answer.'),
          more: z.boolean().describe('True if there are more events than were counted.'),
          oldest_ms: z.number().nullable(),
          failures: z.number().int().describe('Consecutive failed passes at this node.'),
          last_done: z.string().nullable(),
        }),
      )
      .describe(`The readers of the log: ${DURABLE.map(({ does }) => does).join(', ')}.`),
    database: z.object({
      kind: z.enum(['postgresql', 'embedded']),
      answers: z.boolean(),
      latency_ms: milliseconds,
    }),
    redis: z.enum(['up', 'away', 'none']),
    notices: z
      .object({ listeners: z.number().int() })
      .describe('How many devices are connected to this node for notices.'),
    passwords: z.object({ running: z.number().int(), waiting: z.number().int() }),
    sessions: z
      .object({ alive: z.number().int(), counted_at: z.string() })
      .nullable()
      .describe('When they were counted; null before the first count.'),
    marking: z
      .array(
        z.object({ position: z.number().int(), scope: z.string(), at: z.string(), left: z.number().int() }),
      )
      .describe('Cuts that have ended their sessions, but whose rows are still being updated.'),
    degraded: z.array(
      z.object({
        code: z.enum(DEGRADED_CODES),
        level: z.enum(['trouble', 'notice']),
        facts: z.record(z.string(), z.union([z.string(), z.number()])),
      }),
    ),
  })
  .openapi('SystemState') satisfies z.ZodType<SystemState>;
const AT = '2026-11-20T12:34:56.000Z';
const STATE_EXAMPLE = {
  at: AT,
  node: { id: shape.SID, fresh: true, age_ms: 120, lease_ms: 1000, remembered: 5120, sole: false },
  nodes: [{ id: shape.SID, this: true, started_at: AT, silent: false }],
  verifiers: [
    {
      replica: 'shop-7f9c',
      key: { id: 7, name: 'Shop back end' },
      address: '192.0.2.20',
      since: AT,
      age_ms: 180,
      unread_bytes: 0,
      behind: 0,
    },
  ],
  verifier_count: 1,
  propagation: {
    span_ms: 5000,
    spans: [{ at: AT, count: 12, p50: 1.4, p99: 3.1, max: 3.4, waited_out: 0 }],
  },
  readers: [{ name: 'audit', behind: 0, more: false, oldest_ms: null, failures: 0, last_done: AT }],
  database: { kind: 'postgresql', answers: true, latency_ms: 0.4 },
  redis: 'away',
  notices: { listeners: 310 },
  passwords: { running: 0, waiting: 0 },
  sessions: { alive: 48_210, counted_at: AT },
  marking: [{ position: 1042, scope: 'everyone', at: AT, left: 12_000 }],
  degraded: [{ code: 'redis_away', level: 'trouble', facts: {} }],
};

export const getState = serveRow(
  {
    method: 'get',
    path: '/v1/admin/state',
    operationId: 'getSystemState',
    tags: ['Administration'],
    summary: 'Get the system status',
    description:
      'The status from the view of the node that answers. It answers even if the database does not.',
    caller: administratorLookingOn('admin'),
    responses: {
      200: json('The status.', systemState, STATE_EXAMPLE),
      ...problems(...READ_PROBLEMS),
    },
  },
  async ({ c }) => c.json(await c.get('site').systemState()),
);
