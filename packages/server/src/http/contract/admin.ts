import { CURSOR } from '@curfew/protocol/log-cursor';
import { z } from '@hono/zod-openapi';
import { DEGRADED_CODES } from '../../cluster/state/system-facts.ts';
import { REFUSALS as REFUSED } from '../../domain/refusal.ts';
import { END_REASONS } from '../../domain/session.ts';
import { ADMINISTRATOR, body, json, problems, row, SERVICE } from './row.ts';
import * as shape from './shapes.ts';
import { endedOrPreview, ISSUED_EXAMPLE, issuedSchema } from './v1.ts';

const account = shape.user
  .extend({ created_at: z.string(), disabled_at: z.string().nullable() })
  .openapi('Account');
const ACCOUNT = { ...shape.USER, created_at: '2026-11-01T08:00:00.000Z', disabled_at: null };
const id = shape.whole(1);
const idParam = z.object({ id: id.openapi({ example: 2 }) });
const limit = shape.whole(1, 1000).default(100);
const role = z.enum(['user', 'admin']);
const instant = z.iso.datetime({ offset: true, message: 'must be an instant, ISO 8601' });
const REFUSALS = ['not_authenticated', 'forbidden', 'wrong_audience', 'unavailable'] as const;
const WRITE_REFUSALS = [
  ...REFUSALS,
  'invalid_request',
  'csrf_failed',
  'login_too_old',
  'too_large',
  'unsupported_media_type',
] as const;

const confirmLast = z
  .boolean()
  .optional()
  .describe('Goes ahead although nobody would be left to administer; otherwise that is 409.');

export const users = row({
  method: 'get',
  path: '/v1/admin/users',
  tags: ['Administration'],
  summary: 'Find users',
  security: ADMINISTRATOR,
  request: {
    query: z.object({
      query: shape.text(200).optional().describe('Any part of the name or the address.'),
      after: shape.whole(0).default(0).describe('Go on after this id.'),
      limit,
    }),
  },
  responses: {
    200: json('Users by id.', z.object({ users: z.array(account), next: z.number().nullable() }), {
      users: [ACCOUNT],
      next: null,
    }),
    ...problems(...REFUSALS, 'invalid_request', 'took_too_long'),
  },
});

export const createUser = row({
  method: 'post',
  path: '/v1/admin/users',
  tags: ['Administration'],
  summary: 'Create a user',
  security: ADMINISTRATOR,
  request: {
    body: body(
      z.strictObject({
        email: shape.email,
        name: shape.text(200).default(''),
        password: shape.password.optional().describe('Leave out for somebody who logs in elsewhere.'),
        role: role.default('user'),
        workspace: shape.text(200).default(''),
        note: shape.note,
      }),
      { email: 'ada@example.com', name: 'Ada', password: 'correct horse battery staple' },
    ),
  },
  responses: {
    201: json('Created.', z.object({ user: account }), { user: ACCOUNT }),
    ...problems(...WRITE_REFUSALS, 'conflict', 'overloaded'),
  },
});

export const user = row({
  method: 'get',
  path: '/v1/admin/users/{id}',
  tags: ['Administration'],
  summary: 'One user',
  security: ADMINISTRATOR,
  request: { params: idParam },
  responses: {
    200: json('The user.', z.object({ user: account }), { user: ACCOUNT }),
    ...problems(...REFUSALS, 'invalid_request', 'not_found'),
  },
});

export const changeUser = row({
  method: 'patch',
  path: '/v1/admin/users/{id}',
  tags: ['Administration'],
  summary: 'Change, disable or enable a user',
  description: 'Disabling ends every session of the user, a new role the others.',
  security: ADMINISTRATOR,
  request: {
    params: idParam,
    body: body(
      z
        .strictObject({
          name: shape.text(200).optional(),
          workspace: shape.text(200).optional(),
          role: role.optional(),
          disabled: z.boolean().optional(),
          confirm_last_administrator: confirmLast,
          note: shape.note,
        })
        .refine(
          ({ note: _note, confirm_last_administrator: _confirm, ...change }) =>
            Object.keys(change).length > 0,
          'name, workspace, role or disabled must be given',
        ),
      { disabled: true },
    ),
  },
  responses: {
    200: json('Changed.', z.object({ user: account }), {
      user: { ...ACCOUNT, disabled_at: '2026-11-20T12:00:00.000Z' },
    }),
    ...problems(...WRITE_REFUSALS, 'not_found', 'last_administrator'),
  },
});

export const deleteUser = row({
  method: 'delete',
  path: '/v1/admin/users/{id}',
  tags: ['Administration'],
  summary: 'Delete a user',
  description: 'Ends every session. Name, address and password are erased; the id is never given out again.',
  security: ADMINISTRATOR,
  request: {
    params: idParam,
    body: body(z.strictObject({ confirm_last_administrator: confirmLast, note: shape.note }), {}, false),
  },
  responses: {
    204: { description: 'Deleted.' },
    ...problems(...WRITE_REFUSALS, 'not_found', 'last_administrator'),
  },
});

export const resetPassword = row({
  method: 'post',
  path: '/v1/admin/users/{id}/password',
  tags: ['Administration'],
  summary: "Reset a user's password",
  description:
    'Without a password in the body a random one is made and answered, once. Ends every session of the user, but for the one that asks.',
  security: ADMINISTRATOR,
  request: {
    params: idParam,
    body: body(z.strictObject({ password: shape.password.optional(), note: shape.note }), {}, false),
  },
  responses: {
    200: json('Reset.', z.object({ password: z.string().optional() }), { password: 'q3rN-…' }),
    ...problems(...WRITE_REFUSALS, 'not_found', 'overloaded'),
  },
});

export const sessions = row({
  method: 'get',
  path: '/v1/admin/sessions',
  tags: ['Administration'],
  summary: 'Sessions of everybody, a user or an application',
  security: ADMINISTRATOR,
  request: {
    query: z.object({
      user_id: id.optional(),
      client_id: shape.clientId.optional(),
      ended: z
        .enum(['true', 'false', 'only'])
        .default('false')
        .describe('Ended ones too, with how they ended; "only": these alone.'),
      before: shape.sid.optional().describe('Go on before this session.'),
      limit,
    }),
  },
  responses: {
    200: json(
      'Sessions, newest first.',
      z.object({
        sessions: z.array(
          shape.sessionView.extend({
            email: z.string(),
            active: z.boolean(),
            ended: z.object({ at: z.string(), by: z.string(), reason: z.enum(END_REASONS) }).nullable(),
          }),
        ),
        next: shape.sid.nullable(),
      }),
      {
        sessions: [{ ...shape.VIEW_EXAMPLE, email: 'test@example.com', active: true, ended: null }],
        next: null,
      },
    ),
    ...problems(...REFUSALS, 'invalid_request'),
  },
});

export const startSession = row({
  method: 'post',
  path: '/v1/admin/sessions',
  tags: ['Administration'],
  summary: 'Open a session for a user who logged in elsewhere',
  description:
    'Bring your own login: the service that calls vouches for the user. With `count`, that many sessions at once. Transport "opaque" gives contract 002\'s session token.',
  security: SERVICE,
  request: {
    body: body(
      z.strictObject({
        user_id: shape.userId,
        transport: z.enum(['bearer', 'opaque', 'cookie']).default('bearer'),
        client_id: shape.clientId.default('default'),
        device: shape.device.optional(),
        count: z.number().int().min(1).max(1000).optional(),
      }),
      { user_id: 2 },
    ),
  },
  responses: {
    200: json(
      'The session; with `count`, a list of them.',
      z.union([
        issuedSchema.extend({ cookie: z.object({ name: z.string(), value: z.string() }).optional() }),
        z.object({ sessions: z.array(issuedSchema) }),
      ]),
      ISSUED_EXAMPLE,
    ),
    ...problems(...WRITE_REFUSALS, 'not_found'),
  },
});

const how = { wait: shape.wait, note: shape.note, dry_run: shape.dryRun };

export const logout = row({
  method: 'post',
  path: '/v1/admin/logout',
  tags: ['Administration'],
  summary: 'End sessions: some, a device, a user, a list of users, an application, everyone',
  description:
    'Scope "everyone" answers 409 with the count first; repeat it with `confirm` set to that count. A twentieth of drift is allowed for.',
  security: ADMINISTRATOR,
  request: {
    body: body(
      z.discriminatedUnion('scope', [
        z.strictObject({
          scope: z.literal('sessions'),
          sessions: z.array(shape.sid).min(1).max(1000),
          ...how,
        }),
        z.strictObject({ scope: z.literal('user'), user_id: shape.userId, ...how }),
        z.strictObject({
          scope: z.literal('users'),
          user_ids: z.array(shape.userId).min(1).max(10_000),
          ...how,
        }),
        z.strictObject({
          scope: z.literal('device'),
          user_id: shape.userId,
          device_id: shape.text(128).min(1),
          ...how,
        }),
        z.strictObject({ scope: z.literal('application'), client_id: shape.clientId, ...how }),
        z.strictObject({
          scope: z.literal('everyone'),
          confirm: z.number().int().min(0).optional(),
          ...how,
        }),
      ]),
      { scope: 'user', user_id: 2 },
    ),
  },
  responses: {
    200: json('Ended; or, with `dry_run`, what would end.', endedOrPreview, shape.ENDED_EXAMPLE),
    ...problems(
      'invalid_request',
      'not_authenticated',
      'forbidden',
      'wrong_audience',
      'csrf_failed',
      'login_too_old',
      'not_found',
      'confirmation_required',
      'too_large',
      'unsupported_media_type',
      'not_logged_out',
    ),
  },
});

const event = z
  .object({
    position: z.number().int(),
    at: z.string(),
    type: z
      .enum(['session_started', 'sessions_ended', 'user_changed', 'user_created', 'keys_rotated', ...REFUSED])
      .describe(
        'From "login_failed" on: what was refused. Such an event stands for all attempts of its type on one account (`user_id`; null where there is none of that name, or none was named) from one address (of IPv6 one /64) within one minute. What it says of a request is that of the last one.',
      ),
    scope: z.string().nullable(),
    reason: z.enum(END_REASONS).nullable(),
    user_id: z.number().nullable(),
    user_ids: z.array(z.number()).nullable(),
    session_ids: z.array(z.string()).nullable(),
    client_id: z.string().nullable(),
    device_id: z.string().nullable(),
    except_session: z.string().nullable(),
    actor: z
      .string()
      .describe('"anonymous" where something was refused to somebody who had not proven who it is.'),
    contract: z.string().nullable(),
    ip_address: z.string().nullable(),
    user_agent: z.string().nullable(),
    request_id: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).nullable(),
    actor_session: z.string().nullable().describe('The session of the actor, where one asked.'),
    count: z
      .number()
      .int()
      .nullable()
      .describe('Of what was refused: how many attempts; `at` is the first and `last_at` the last of them.'),
    last_at: z.string().nullable(),
  })
  .openapi('Event');
const EVENT = {
  position: 1042,
  at: '2026-11-20T12:34:56.000Z',
  type: 'sessions_ended',
  scope: 'user',
  reason: 'logout',
  user_id: 2,
  user_ids: null,
  session_ids: [shape.SID],
  client_id: null,
  device_id: null,
  except_session: null,
  actor: 'user:2',
  contract: 'v1',
  ip_address: '192.0.2.7',
  user_agent: 'curl/8.5.0',
  request_id: 'k3v1-12',
  details: null,
  actor_session: shape.SID,
  count: null,
  last_at: null,
};

export const events = row({
  method: 'get',
  path: '/v1/admin/events',
  tags: ['Administration'],
  summary: 'Read and export the log',
  description:
    'JSON: a page, the newest first, or with `after` the oldest after it. Attempts that were refused stand among the events, by the minute. `format` "jsonl" or "csv" streams everything that matches, oldest first. With `Accept: text/event-stream` it is followed as it grows, until the session that asks is over: each event has an id that `Last-Event-ID`, or `cursor`, goes on from. No event is left out then, however late it was committed; some may come a second time, with the same position.',
  security: ADMINISTRATOR,
  request: {
    query: z.object({
      type: shape.text(50).optional(),
      reason: shape.text(50).optional(),
      user_id: id
        .optional()
        .describe(
          'Events of this user, also as one of several, and what ended sessions of theirs with those of an application or of everyone.',
        ),
      actor: z
        .string()
        .regex(
          /^(user:[1-9]\d{0,15}|service|operator|system|anonymous)$/,
          'must be user:<id>, service, operator, system or anonymous',
        )
        .optional()
        .describe('Who did it.'),
      client_id: shape.clientId.optional().describe('Logins with this application, and its own ending.'),
      since: instant.optional().describe('From this instant on.'),
      until: instant.optional().describe('Before this instant.'),
      refused: z
        .enum(['true', 'false', 'only'])
        .default('true')
        .describe('With attempts that were refused, without them, or these alone.'),
      cursor: z
        .string()
        .regex(CURSOR, 'must be the id of a streamed event')
        .optional()
        .describe(
          'Of a stream: go on after the event with this id. A browser sends Last-Event-ID by itself.',
        ),
      before: shape.whole(0).optional(),
      after: shape.whole(0).optional(),
      limit,
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
    ...problems(...REFUSALS, 'invalid_request'),
  },
});

export const applications = row({
  method: 'get',
  path: '/v1/admin/applications',
  tags: ['Administration'],
  summary: 'Applications, and how many sessions each has',
  security: ADMINISTRATOR,
  responses: {
    200: json(
      'The applications of this node, by name.',
      z.object({
        applications: z.array(
          z.object({
            client_id: z.string(),
            name: z.string(),
            sessions: z.number().int().nullable().describe('Null until they have been counted.'),
          }),
        ),
        counted_at: z
          .string()
          .nullable()
          .describe('Now and then, because it takes a while where there are many.'),
      }),
      {
        applications: [{ client_id: 'shop', name: 'The shop', sessions: 48_210 }],
        counted_at: '2026-11-20T12:34:56.000Z',
      },
    ),
    ...problems(...REFUSALS),
  },
});

const milliseconds = z.number().nullable();
const span = z.object({
  at: z.string(),
  count: z.number().int().describe('Confirmations; logouts that are committed together share one.'),
  p50: milliseconds,
  p99: milliseconds,
  max: milliseconds,
  waited_out: z.number().int().describe('Replicas that did not answer, and whose lease had to run out.'),
});
const systemState = z
  .object({
    at: z.string(),
    node: z
      .object({
        id: z.string(),
        fresh: z.boolean().describe('Its memory may answer checks.'),
        age_ms: z.number().nullable().describe('The age of what it knows of the log.'),
        lease_ms: z.number(),
        remembered: z.number().int().describe('Credentials in memory.'),
        sole: z.boolean().describe('No other process can use this database.'),
      })
      .describe('The one that answers.'),
    nodes: z.array(
      z.object({
        id: z.string(),
        this: z.boolean(),
        started_at: z.string(),
        silent: z.boolean().describe('It has not been heard of for some leases.'),
      }),
    ),
    verifiers: z
      .array(
        z.object({
          replica: z.string().describe('As it calls itself.'),
          address: z.string().nullable(),
          since: z.string(),
          age_ms: z.number().nullable().describe('The age of what it knows, by its last renewal.'),
          unread_bytes: z.number().int(),
          behind: z.number().int().describe('Endings that it has not acknowledged.'),
        }),
      )
      .describe('Those that are connected to this node; 500 at most.'),
    verifier_count: z.number().int(),
    propagation: z
      .object({ span_ms: z.number().int(), spans: z.array(span) })
      .describe('How long logouts at this node took until they were true everywhere; ten minutes.'),
    readers: z
      .array(
        z.object({
          name: z.enum(['audit', 'marker', 'evictor']),
          behind: z.number().int().nullable().describe('Events; null when the database did not say.'),
          more: z.boolean().describe('More than were counted.'),
          oldest_ms: z.number().nullable(),
          failures: z.number().int().describe('Passes of this node that failed one after another.'),
          last_done: z.string().nullable(),
        }),
      )
      .describe('What follows the log: the audit view, the marking of rows, the eviction of cached keys.'),
    database: z.object({
      kind: z.enum(['postgresql', 'embedded']),
      answers: z.boolean(),
      latency_ms: milliseconds,
    }),
    redis: z.enum(['up', 'away', 'none']),
    notices: z.object({ listeners: z.number().int() }).describe('Devices that listen at this node.'),
    passwords: z.object({ running: z.number().int(), waiting: z.number().int() }),
    sessions: z
      .object({ alive: z.number().int(), counted_at: z.string() })
      .nullable()
      .describe('Counted now and then; null before the first time.'),
    marking: z
      .array(
        z.object({ position: z.number().int(), scope: z.string(), at: z.string(), left: z.number().int() }),
      )
      .describe('Cuts whose sessions are over and whose rows do not all say so yet.'),
    degraded: z.array(
      z.object({
        code: z.enum(DEGRADED_CODES),
        level: z.enum(['trouble', 'notice']),
        facts: z.record(z.string(), z.union([z.string(), z.number()])),
      }),
    ),
  })
  .openapi('SystemState');
const AT = '2026-11-20T12:34:56.000Z';
const STATE_EXAMPLE = {
  at: AT,
  node: { id: shape.SID, fresh: true, age_ms: 120, lease_ms: 1000, remembered: 5120, sole: false },
  nodes: [{ id: shape.SID, this: true, started_at: AT, silent: false }],
  verifiers: [
    { replica: 'shop-7f9c', address: '192.0.2.20', since: AT, age_ms: 180, unread_bytes: 0, behind: 0 },
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

export const state = row({
  method: 'get',
  path: '/v1/admin/state',
  tags: ['Administration'],
  summary: 'How the system stands',
  description: 'As the node that answers sees it, also when the database does not answer.',
  security: ADMINISTRATOR,
  responses: {
    200: json('The state.', systemState, STATE_EXAMPLE),
    ...problems(...REFUSALS),
  },
});

const key = z
  .object({
    kid: z.string(),
    alg: z.string(),
    created_at: z.string(),
    signs_from: z.string(),
    state: z.enum(['published', 'signing', 'kept', 'retired']),
  })
  .openapi('Key');
const KEY = {
  kid: 'u0x…',
  alg: 'EdDSA',
  created_at: '2026-11-01T08:00:00.000Z',
  signs_from: '2026-11-01T08:00:00.000Z',
  state: 'signing',
};

export const keys = row({
  method: 'get',
  path: '/v1/admin/keys',
  tags: ['Administration'],
  summary: 'Signing keys',
  security: ADMINISTRATOR,
  responses: {
    200: json('The keys, without their private halves.', z.object({ keys: z.array(key) }), { keys: [KEY] }),
    ...problems(...REFUSALS),
  },
});

export const rotateKeys = row({
  method: 'post',
  path: '/v1/admin/keys/rotate',
  tags: ['Administration'],
  summary: 'Rotate the signing keys',
  description:
    'New keys are published now and sign later; old ones are kept until nothing they signed can be valid.',
  security: ADMINISTRATOR,
  request: { body: body(z.strictObject({ note: shape.note }), {}, false) },
  responses: {
    200: json('The keys.', z.object({ keys: z.array(key) }), { keys: [KEY] }),
    ...problems(...WRITE_REFUSALS),
  },
});
