import { z } from '@hono/zod-openapi';
import { body, json, problems, row, sayingWhy, SESSION } from './row.ts';
import * as shape from './shapes.ts';

const issued = z
  .object({
    session: shape.session,
    user: shape.user,
    access_token: z.string().optional(),
    refresh_token: z.string().optional(),
    session_token: z.string().optional(),
    token_type: z.literal('Bearer').optional(),
    expires_in: z.number().int().optional().describe('Life of the access token in seconds.'),
    csrf_token: z.string().optional().describe('With transport "cookie": to send in X-CSRF-Token.'),
  })
  .openapi('Issued');
export const ISSUED_EXAMPLE = {
  session: shape.SESSION_EXAMPLE,
  user: shape.USER,
  access_token: shape.JWT_EXAMPLE,
  refresh_token: 'rt_…',
  token_type: 'Bearer',
  expires_in: 300,
};
export const issuedSchema = issued;

export const login = row({
  method: 'post',
  path: '/v1/login',
  tags: ['Sessions'],
  summary: 'Log in',
  description: 'E-mail address and password in, a new session out: tokens, or a cookie and its CSRF token.',
  request: {
    body: body(
      z.strictObject({
        email: shape.login,
        password: shape.password,
        transport: z.enum(['bearer', 'cookie']).default('bearer'),
        client_id: shape.clientId.default('default').describe('The application that logs in.'),
        device: shape.device.optional(),
      }),
      { email: 'test@example.com', password: 'password123' },
    ),
  },
  responses: {
    200: json('Logged in.', issued, ISSUED_EXAMPLE),
    ...problems(
      'invalid_request',
      'invalid_credentials',
      'csrf_failed',
      'too_large',
      'unsupported_media_type',
      'rate_limited',
      'overloaded',
      'unavailable',
    ),
  },
});

export const refresh = row({
  method: 'post',
  path: '/v1/refresh',
  tags: ['Sessions'],
  summary: 'Refresh',
  description:
    'A refresh token in, its successor out; the one given is spent. Within the grace (10 s) a second use gives the same successor, unless both the address and the user agent differ from those of the first; a later use ends the session.',
  request: {
    body: body(
      z.strictObject({
        refresh_token: z.string().min(1).max(2048),
        client_id: shape.clientId
          .optional()
          .describe(
            'The application that asks. A token that was given to another one was copied: its session ends.',
          ),
      }),
      { refresh_token: 'rt_…' },
    ),
  },
  responses: {
    200: json('The successor.', issued, ISSUED_EXAMPLE),
    ...sayingWhy(
      problems('invalid_request', 'not_authenticated', 'too_large', 'unsupported_media_type', 'unavailable'),
    ),
  },
});

export const session = row({
  method: 'get',
  path: '/v1/session',
  tags: ['Sessions'],
  summary: 'How this session stands',
  description: 'Asking does not count as using it.',
  security: SESSION,
  responses: {
    200: json(
      'The session and its user; with a cookie, the CSRF token again.',
      z.object({ session: shape.session, user: shape.user, csrf_token: z.string().optional() }),
      { session: shape.SESSION_EXAMPLE, user: shape.USER },
    ),
    ...sayingWhy(problems('not_authenticated', 'unavailable')),
  },
});

export const confirm = row({
  method: 'post',
  path: '/v1/session/confirm',
  tags: ['Sessions'],
  summary: 'Give the password again',
  description:
    'For what asks for a recent login (`login_too_old`). A new session that has just logged in takes the place of this one: its credentials are in the answer, and the old ones are over, access tokens included. A wrong password counts as a failed login.',
  security: SESSION,
  request: { body: body(z.strictObject({ password: shape.password }), { password: 'password123' }) },
  responses: {
    200: json('The new session, by the same kind of credential.', issued, ISSUED_EXAMPLE),
    ...problems(
      'invalid_request',
      'not_authenticated',
      'invalid_credentials',
      'csrf_failed',
      'wrong_audience',
      'too_large',
      'unsupported_media_type',
      'rate_limited',
      'overloaded',
      'unavailable',
    ),
  },
});

export const sessions = row({
  method: 'get',
  path: '/v1/sessions',
  tags: ['Sessions'],
  summary: 'My devices',
  security: SESSION,
  request: {
    query: z.object({
      before: shape.sid
        .optional()
        .describe('Go on after this session of the list: `next` of the page before.'),
      limit: shape.whole(1, 200).default(200),
    }),
  },
  responses: {
    200: json(
      "The user's live sessions, newest first.",
      z.object({
        sessions: z
          .array(shape.sessionView.extend({ current: z.boolean() }))
          .describe(
            'The one that asks is on the first page, beyond `limit` where it is older, and on no other.',
          ),
        next: shape.sid.nullable().describe('From where to go on; null when there are no more.'),
        total: z.number().int().describe('How many there are, counted up to 10,000.'),
      }),
      { sessions: [{ ...shape.VIEW_EXAMPLE, current: true }], next: null, total: 1 },
    ),
    ...problems('invalid_request', 'not_authenticated', 'unavailable'),
  },
});

export const endedOrPreview = z.union([shape.ended, shape.preview]);

export const logout = row({
  method: 'post',
  path: '/v1/logout',
  tags: ['Sessions'],
  summary: 'Log out',
  description:
    'Without a body, this session. Answers when no node accepts any credential of an ended session. What may end another session than this one may ask for a recent login (CURFEW_CONFIRM_AFTER_SECONDS).',
  security: SESSION,
  request: {
    body: body(
      z.strictObject({
        scope: z.enum(['this', 'others', 'all', 'selected', 'device']).default('this'),
        sessions: z.array(shape.sid).min(1).max(1000).optional().describe('With scope "selected".'),
        device: shape
          .text(128)
          .min(1)
          .optional()
          .describe('With scope "device"; default: the one that asks.'),
        wait: shape.wait,
        note: shape.note,
        dry_run: shape.dryRun,
      }),
      { scope: 'all' },
      false,
    ),
  },
  responses: {
    200: json('Logged out; or, with `dry_run`, what would end.', endedOrPreview, shape.ENDED_EXAMPLE),
    ...problems(
      'invalid_request',
      'not_authenticated',
      'csrf_failed',
      'login_too_old',
      'too_large',
      'unsupported_media_type',
      'not_logged_out',
    ),
  },
});

export const nameSession = row({
  method: 'patch',
  path: '/v1/sessions/{id}',
  tags: ['Sessions'],
  summary: 'Name one of my devices',
  description:
    'The device of this session, in all of my sessions on it. Control characters and those that turn the direction of a text are left out; an empty name takes the name away.',
  security: SESSION,
  request: {
    params: z.object({ id: shape.sid.openapi({ example: shape.SID }) }),
    body: body(z.strictObject({ name: shape.text(100) }), { name: 'Work laptop' }),
  },
  responses: {
    200: json('Named.', z.object({ id: shape.sid, name: z.string().describe('As it is kept.') }), {
      id: shape.SID,
      name: 'Work laptop',
    }),
    ...problems(
      'invalid_request',
      'not_authenticated',
      'csrf_failed',
      'not_found',
      'too_large',
      'unsupported_media_type',
      'unavailable',
    ),
  },
});

export const endOne = row({
  method: 'delete',
  path: '/v1/sessions/{id}',
  tags: ['Sessions'],
  summary: 'End one of my sessions',
  security: SESSION,
  request: {
    params: z.object({ id: shape.sid.openapi({ example: shape.SID }) }),
    body: body(z.strictObject({ note: shape.note }), {}, false),
  },
  responses: {
    200: json('Ended.', shape.ended, { ...shape.ENDED_EXAMPLE, ended: 1 }),
    ...problems(
      'invalid_request',
      'not_authenticated',
      'csrf_failed',
      'login_too_old',
      'not_found',
      'too_large',
      'unsupported_media_type',
      'not_logged_out',
    ),
  },
});

export const password = row({
  method: 'post',
  path: '/v1/password',
  tags: ['Sessions'],
  summary: 'Change my password',
  description:
    'Ends every session. A new one takes the place of the one that asks: its credentials are in the answer. A wrong current password counts as a failed login.',
  security: SESSION,
  request: {
    body: body(z.strictObject({ current_password: shape.password, new_password: shape.password }), {
      current_password: 'password123',
      new_password: 'correct horse battery staple',
    }),
  },
  responses: {
    200: json('Changed; the new session, by the same kind of credential.', issued, ISSUED_EXAMPLE),
    ...problems(
      'invalid_request',
      'not_authenticated',
      'invalid_credentials',
      'csrf_failed',
      'wrong_audience',
      'too_large',
      'unsupported_media_type',
      'rate_limited',
      'overloaded',
      'unavailable',
    ),
  },
});

const identity = z.object({
  'curfew-subject': z.string().describe("The user's id."),
  'curfew-session': z.string().describe('The `sid`.'),
  'curfew-client': z.string(),
  'curfew-role': z.string(),
});

export const check = row({
  method: 'get',
  path: '/v1/check',
  tags: ['Sessions'],
  summary: 'Is this session alive?',
  description:
    'For a proxy (forward-auth: nginx auth_request, Traefik forwardAuth, Caddy forward_auth, Envoy ext_authz) or a back end. Takes a JWT, an opaque token or the cookie. Any method, and any path below it, are answered alike: a proxy may pass on those of the request that it asks about. Bodies are ignored. Counts as using the session. Answers from memory while this node is fresh.',
  security: SESSION,
  request: {
    query: z.object({
      audience: shape.audience
        .optional()
        .describe(
          'Whom the credential must be for: the audience of its application. Another one is refused. Other parameters are ignored.',
        ),
    }),
  },
  responses: {
    200: { description: 'Alive; the headers say who.', headers: identity },
    ...problems('invalid_request', 'not_authenticated', 'unavailable'),
  },
});
