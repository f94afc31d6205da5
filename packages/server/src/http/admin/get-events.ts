import { CURSOR } from '@curfew/protocol/log-cursor';
import * as field from '../../actions/fields.ts';
import { z } from '@hono/zod-openapi';
import { mayStillAdminister } from '../../actions/admit.ts';
import { exportEvents } from '../../actions/export-events.ts';
import { readLog } from '../../actions/read-log.ts';
import { administratorLookingOn, administratorToRead, dependent } from '../../domain/caller-rule.ts';
import type { EventFilter } from '../../store/log/page.ts';
import { problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { event, EVENT } from './event.ts';
import { streamLog } from './live-log.ts';
import { READ_PROBLEMS } from './problems.ts';

const instant = z.iso.datetime({ offset: true, message: 'must be a date and time in ISO 8601' });

const wantsStream = (header: (name: string) => string | undefined): boolean =>
  /\btext\/event-stream\b/i.test(header('accept') ?? '');

const READING = administratorToRead('admin');
const FOLLOWING = administratorLookingOn('admin');

export const getEvents = serveRow(
  {
    method: 'get',
    path: '/v1/admin/events',
    operationId: 'listEvents',
    tags: ['Administration'],
    summary: 'Read and export the log',
    description:
      'JSON: one page, newest first, or with `after` oldest first. Refused attempts are among the events, counted by the minute. `format` "jsonl" or "csv" streams all matching events, oldest first. With `Accept: text/event-stream` the answer follows the log until the caller’s session ends. Each event then has an id; send it as `Last-Event-ID` or `cursor` to continue from there. The stream leaves out no event, however late it was committed. It may repeat an event, with the same position.',
    caller: dependent([READING, FOLLOWING], ({ header }) => (wantsStream(header) ? FOLLOWING : READING)),
    request: {
      query: z.object({
        type: field.text(50).optional(),
        reason: field.text(50).optional(),
        user_id: field
          .integerParameter(1)
          .optional()
          .describe(
            'Events of this user. Includes events for a list of users, an application or everyone that ended sessions of this user.',
          ),
        actor: z
          .string()
          .regex(
            /^((user|key):[1-9]\d{0,15}|service|operator|system|anonymous)$/,
            'must be user:<id>, key:<id>, service, operator, system or anonymous',
          )
          .optional()
          .describe('The actor: who caused the event.'),
        client_id: field.clientId
          .optional()
          .describe('Logins with this application, and logouts of the whole application.'),
        since: instant.optional().describe('Events from this time on.'),
        until: instant.optional().describe('Events before this time.'),
        refused: z
          .enum(['true', 'false', 'only'])
          .default('true')
          .describe('Whether to include refused attempts: with events, not at all, or only these.'),
        cursor: z
          .string()
          .regex(CURSOR, 'must be the id of a streamed event')
          .optional()
          .describe(
            'For a stream: continue after the event with this id. Browsers send Last-Event-ID automatically.',
          ),
        before: field.integerParameter(0).optional(),
        after: field.integerParameter(0).optional(),
        limit: shape.pageSize,
        format: z.enum(['json', 'jsonl', 'csv']).default('json'),
      }),
    },
    responses: {
      200: {
        description: 'Events.',
        content: {
          'application/json': {
            schema: z.object({ events: z.array(event), next: z.number().nullable() }),
            example: { events: [EVENT], next: null },
          },
          'application/jsonl': { schema: z.string(), example: `${JSON.stringify(EVENT)}\n` },
          'text/csv': {
            schema: z.string(),
            example: 'position,at,type,…\n1042,2026-11-20T12:34:56.000Z,sessions_ended,…\n',
          },
          'text/event-stream': {
            schema: z.string(),
            example: `id: 7031\ndata: ${JSON.stringify(EVENT)}\n\n`,
          },
        },
      },
      ...problems(...READ_PROBLEMS, 'invalid_request'),
    },
  },
  async ({ c, world, caller, input }) => {
    const { before = null, after = null, limit, format, cursor } = input.query;
    const filter = filterOf(input.query);
    if (wantsStream((name) => c.req.header(name)))
      return streamLog(
        c,
        c.get('site').streams,
        caller,
        filter,
        readCursor(c.req.header('last-event-id') ?? cursor),
      );
    if (format !== 'json') {
      const mediaType = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/jsonl';
      const mayGoOn = (): Promise<boolean> => mayStillAdminister(world, caller);
      return c.body(exportEvents(world, filter, after ?? 0, format, mayGoOn), 200, {
        'content-type': mediaType,
        'content-disposition': `attachment; filename="curfew-events.${format}"`,
      });
    }
    return c.json(await readLog(world, filter, { before, after }, limit));
  },
);

type FilterInput = {
  [Name in 'type' | 'reason' | 'actor' | 'client_id' | 'since' | 'until']?: string | undefined;
} & { user_id?: number | undefined; refused?: 'true' | 'false' | 'only' };

function filterOf(input: FilterInput): EventFilter {
  return {
    type: input.type ?? null,
    reason: input.reason ?? null,
    userId: input.user_id ?? null,
    actor: input.actor ?? null,
    clientId: input.client_id ?? null,
    since: input.since === undefined ? null : new Date(input.since),
    until: input.until === undefined ? null : new Date(input.until),
    refused: input.refused === 'only' ? true : input.refused === 'false' ? false : null,
  };
}

/** The id of a streamed event. An unknown one is ignored, and the stream begins now. */
function readCursor(text: string | undefined): string | null {
  return text !== undefined && CURSOR.test(text) ? text : null;
}
