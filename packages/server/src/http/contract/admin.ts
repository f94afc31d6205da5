import { z } from '@hono/zod-openapi';
import { END_REASONS } from '../../domain/session.ts';
import { ADMINISTRATOR, body, json, problems, row, SERVICE } from './row.ts';
import * as shape from './shapes.ts';
import { ISSUED_EXAMPLE, issuedSchema } from './v1.ts';

const account = shape.user
  .extend({ created_at: z.string(), disabled_at: z.string().nullable() })
  .openapi('Account');
const ACCOUNT = { ...shape.USER, created_at: '2026-11-01T08:00:00.000Z', disabled_at: null };
const id = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const idParam = z.object({ id: id.openapi({ example: 2 }) });
const limit = z.coerce.number().int().min(1).max(1000).default(100);
const role = z.enum(['user', 'admin']);
const REFUSALS = ['not_authenticated', 'forbidden', 'unavailable'] as const;
const WRITE_REFUSALS = [
  ...REFUSALS,
  'invalid_request',
  'csrf_failed',
  'too_large',
  'unsupported_media_type',
] as const;

export const users = row({
  method: 'get',
  path: '/v1/admin/users',
  tags: ['Administration'],
  summary: 'Find users',
  security: ADMINISTRATOR,
  request: {
    query: z.object({
      query: shape.text(200).optional().describe('Any part of the name or the address.'),
      after: z.coerce.number().int().min(0).default(0).describe('Go on after this id.'),
      limit,
    }),
  },
  responses: {
    200: json('Users by id.', z.object({ users: z.array(account), next: z.number().nullable() }), {
      users: [ACCOUNT],
      next: null,
    }),
    ...problems(...REFUSALS, 'invalid_request'),
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
      z.object({
        email: shape.email,
        name: shape.text(200).default(''),
        password: shape.password.optional().describe('Leave out for somebody who logs in elsewhere.'),
        role: role.default('user'),
        workspace: shape.text(200).default(''),
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
        .object({
          name: shape.text(200).optional(),
          workspace: shape.text(200).optional(),
          role: role.optional(),
          disabled: z.boolean().optional(),
        })
        .refine(
          (change) => Object.keys(change).length > 0,
          'name, workspace, role or disabled must be given',
        ),
      { disabled: true },
    ),
  },
  responses: {
    200: json('Changed.', z.object({ user: account }), {
      user: { ...ACCOUNT, disabled_at: '2026-11-20T12:00:00.000Z' },
    }),
    ...problems(...WRITE_REFUSALS, 'not_found'),
  },
});

export const deleteUser = row({
  method: 'delete',
  path: '/v1/admin/users/{id}',
  tags: ['Administration'],
  summary: 'Delete a user',
  description: 'Ends every session. Name, address and password are erased; the id is never given out again.',
  security: ADMINISTRATOR,
  request: { params: idParam },
  responses: {
    204: { description: 'Deleted.' },
    ...problems(...REFUSALS, 'invalid_request', 'csrf_failed', 'not_found'),
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
  request: { params: idParam, body: body(z.object({ password: shape.password.optional() }), {}, false) },
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
      ended: z.enum(['true', 'false']).default('false').describe('Ended ones too, with how they ended.'),
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
      z.object({
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
        z.object({
          scope: z.literal('sessions'),
          sessions: z.array(shape.sid).min(1).max(1000),
          wait: shape.wait,
        }),
        z.object({ scope: z.literal('user'), user_id: shape.userId, wait: shape.wait }),
        z.object({
          scope: z.literal('users'),
          user_ids: z.array(shape.userId).min(1).max(10_000),
          wait: shape.wait,
        }),
        z.object({
          scope: z.literal('device'),
          user_id: shape.userId,
          device_id: shape.text(128).min(1),
          wait: shape.wait,
        }),
        z.object({ scope: z.literal('application'), client_id: shape.clientId, wait: shape.wait }),
        z.object({
          scope: z.literal('everyone'),
          confirm: z.number().int().min(0).optional(),
          wait: shape.wait,
        }),
      ]),
      { scope: 'user', user_id: 2 },
    ),
  },
  responses: {
    200: json('Ended.', shape.ended, shape.ENDED_EXAMPLE),
    ...problems(
      'invalid_request',
      'not_authenticated',
      'forbidden',
      'csrf_failed',
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
    type: z.enum(['session_started', 'sessions_ended', 'user_changed', 'user_created', 'keys_rotated']),
    scope: z.string().nullable(),
    reason: z.enum(END_REASONS).nullable(),
    user_id: z.number().nullable(),
    user_ids: z.array(z.number()).nullable(),
    session_ids: z.array(z.string()).nullable(),
    client_id: z.string().nullable(),
    device_id: z.string().nullable(),
    except_session: z.string().nullable(),
    actor: z.string(),
    contract: z.string().nullable(),
    ip_address: z.string().nullable(),
    user_agent: z.string().nullable(),
    request_id: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).nullable(),
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
};

export const events = row({
  method: 'get',
  path: '/v1/admin/events',
  tags: ['Administration'],
  summary: 'Read and export the log',
  description:
    'JSON: a page, the newest first, or with `after` the oldest after it. `format` "jsonl" or "csv" streams everything that matches, oldest first.',
  security: ADMINISTRATOR,
  request: {
    query: z.object({
      type: shape.text(50).optional(),
      reason: shape.text(50).optional(),
      user_id: id.optional(),
      before: z.coerce.number().int().optional(),
      after: z.coerce.number().int().optional(),
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
      },
    },
    ...problems(...REFUSALS, 'invalid_request'),
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
  responses: {
    200: json('The keys.', z.object({ keys: z.array(key) }), { keys: [KEY] }),
    ...problems(...REFUSALS, 'csrf_failed'),
  },
});
