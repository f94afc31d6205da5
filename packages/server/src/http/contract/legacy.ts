import { z } from '@hono/zod-openapi';
import { BEARER, body, json, row, SESSION } from './row.ts';
import * as shape from './shapes.ts';

/*
 * The four API families that were there before Curfew. Their clients exist: not a byte that they read may differ.
 */

/* 001, envelope ------------------------------------------------------------------------------------------- */

const envelope = (data: z.ZodType) =>
  z.object({
    success: z.boolean(),
    message: z.string(),
    data,
    code: z.string().nullable(),
    field: z.string().nullable(),
  });
const done = (message: string, data: unknown) => ({ success: true, message, data, code: null, field: null });
const failed = (message: string, code: string, field: string | null = null) => ({
  success: false,
  message,
  data: null,
  code,
  field,
});
const refusal = (description: string, ...answer: Parameters<typeof failed>) =>
  json(description, envelope(z.null()), failed(...answer));

const envelopeTokens = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
  user: shape.user,
});
const ENVELOPE_TOKENS = {
  access_token: shape.JWT_EXAMPLE,
  refresh_token: 'rt_…',
  token_type: 'Bearer',
  expires_in: 300,
  user: shape.USER,
};
const UNAVAILABLE = refusal(
  'The database did not answer, or too many logins at once.',
  'Try again in a moment',
  'UNAVAILABLE',
);
const INTERNAL = refusal('Something failed on our side.', 'Internal server error', 'INTERNAL_ERROR');

const cookieRefusal = (description: string, error_code: string, message: string) =>
  json(description, z.object({ detail: z.object({ error_code: z.string(), message: z.string() }) }), {
    detail: { error_code, message },
  });
const nobody = json(
  'No live session answers to the credential. With none at all, or with a cookie, the body carries `detail`.',
  z.union([
    envelope(z.null()),
    envelope(z.null()).extend({ detail: z.object({ error_code: z.string(), message: z.string() }) }),
    z.object({ detail: z.object({ error_code: z.string(), message: z.string() }) }),
  ]),
  failed('Not authenticated', 'NOT_AUTHENTICATED'),
);

export const envelopeLogin = row({
  method: 'post',
  path: '/auth/login',
  tags: ['Contract 001: envelope', 'Contract 004: cookie'],
  summary: 'Log in',
  request: {
    body: body(
      z.object({
        email: shape.login,
        password: shape.password,
        transport: z.enum(['bearer', 'cookie']).optional(),
      }),
      { email: 'test@example.com', password: 'password123' },
    ),
  },
  responses: {
    200: json(
      'Logged in. With transport "cookie" the answer sets the session cookie and carries `csrf_token` and no tokens.',
      envelope(z.union([envelopeTokens, z.object({ user: shape.user, csrf_token: z.string() })])),
      done('Login successful', ENVELOPE_TOKENS),
    ),
    400: refusal('A field is missing or malformed.', 'email: is required', 'VALIDATION_ERROR', 'email'),
    401: refusal('Wrong e-mail address or password.', 'Invalid email or password', 'INVALID_CREDENTIALS'),
    403: cookieRefusal(
      'A cookie login from another site.',
      'CSRF_FAILED',
      'The request does not come from a trusted origin',
    ),
    413: refusal('The body is too large.', 'The request is too large', 'TOO_LARGE'),
    429: refusal('Too many failed logins.', 'Too many failed logins. Try again later', 'RATE_LIMITED'),
    500: INTERNAL,
    503: UNAVAILABLE,
  },
});

export const envelopeRefresh = row({
  method: 'post',
  path: '/auth/refresh',
  tags: ['Contract 001: envelope'],
  summary: 'Refresh',
  request: {
    body: body(z.object({ refresh_token: z.string().min(1).max(2048) }), { refresh_token: 'rt_…' }),
  },
  responses: {
    200: json('The successor.', envelope(envelopeTokens), done('Token refreshed', ENVELOPE_TOKENS)),
    400: refusal(
      'The field is missing or malformed.',
      'refresh_token: is required',
      'VALIDATION_ERROR',
      'refresh_token',
    ),
    401: refusal('Unknown, run out, or used again.', 'Invalid refresh token', 'INVALID_REFRESH_TOKEN'),
    413: refusal('The body is too large.', 'The request is too large', 'TOO_LARGE'),
    500: INTERNAL,
    503: UNAVAILABLE,
  },
});

export const profile = row({
  method: 'get',
  path: '/auth/profile',
  tags: ['Contract 001: envelope', 'Contract 004: cookie'],
  summary: 'The user',
  security: SESSION,
  responses: {
    200: json('The user.', envelope(shape.user), done('Profile retrieved', shape.USER)),
    401: nobody,
    500: INTERNAL,
    503: UNAVAILABLE,
  },
});

export const workspace = row({
  method: 'get',
  path: '/auth/workspace',
  tags: ['Contract 001: envelope'],
  summary: "The user's workspace",
  security: SESSION,
  responses: {
    200: json(
      'The workspace.',
      envelope(z.object({ user_id: shape.userId, workspace: z.string() })),
      done('Workspace retrieved', { user_id: 2, workspace: 'main' }),
    ),
    401: nobody,
    500: INTERNAL,
    503: UNAVAILABLE,
  },
});

export const sharedLogout = row({
  method: 'post',
  path: '/auth/logout',
  tags: ['Contract 001: envelope', 'Contract 004: cookie'],
  summary: 'Log out',
  description:
    'With an Authorization header (001): every session of the user. With the session cookie and no such header (004): this session, or with `scope` all or the others; the cookie is deleted.',
  security: SESSION,
  request: { query: z.object({ scope: z.enum(['this', 'all', 'others']).optional() }) },
  responses: {
    200: {
      description: 'Logged out.',
      content: {
        'application/json': {
          schema: z.union([envelope(z.null()), z.object({ message: z.string() })]),
          examples: {
            envelope: { value: done('Logout successful', null) },
            cookie: { value: { message: 'Logout successful' } },
          },
        },
      },
    },
    400: {
      description: 'An unknown scope, or an address that is not UTF-8; nothing was ended.',
      content: {
        'application/json': {
          schema: z.union([
            envelope(z.null()),
            z.object({ detail: z.object({ error_code: z.string(), message: z.string() }) }),
          ]),
          examples: {
            envelope: { value: failed('scope: must be UTF-8', 'VALIDATION_ERROR', 'scope') },
            cookie: {
              value: {
                detail: { error_code: 'INVALID_SCOPE', message: 'scope must be this, all or others' },
              },
            },
          },
        },
      },
    },
    401: nobody,
    403: cookieRefusal(
      'Without the CSRF token, or from another site.',
      'CSRF_FAILED',
      'The request must come from a trusted origin and carry X-CSRF-Token',
    ),
    500: cookieRefusal('Cookie: not logged out.', 'LOGOUT_FAILED', 'Not logged out, try again'),
    503: refusal('Bearer: not logged out.', 'Not logged out, try again', 'LOGOUT_FAILED'),
  },
});

/* 002, session-id ----------------------------------------------------------------------------------------- */

const plainError = z.object({ error: z.string(), path: z.string(), timestamp: z.string() });
const plain = (description: string, error: string, path: string) =>
  json(description, plainError, { error, path, timestamp: '2026-11-20T12:00:00.000Z' });

export const sessionIdLogin = row({
  method: 'post',
  path: '/api/auth/login',
  tags: ['Contract 002: session-id'],
  summary: 'Log in',
  request: {
    body: body(z.object({ username: shape.login, password: shape.password }), {
      username: 'admin@example.com',
      password: 'password123',
    }),
  },
  responses: {
    200: json(
      'Logged in.',
      z.object({
        success: z.literal(true),
        data: z.object({ userId: shape.userId, sessionToken: z.string(), expiresAt: z.string() }),
      }),
      { success: true, data: { userId: 1, sessionToken: 'sess_…', expiresAt: '2026-12-20T12:00:00.000Z' } },
    ),
    400: plain('A field is missing or malformed.', 'username: is required', '/api/auth/login'),
    401: plain('Wrong.', 'Invalid username or password', '/api/auth/login'),
    413: plain('The body is too large.', 'The request is too large', '/api/auth/login'),
    429: plain('Too many failed logins.', 'Too many failed logins, try again later', '/api/auth/login'),
    500: plain('Something failed on our side.', 'Internal server error', '/api/auth/login'),
    503: plain('Too many logins at once.', 'Too many logins at once, try again', '/api/auth/login'),
  },
});

export const sessionIdUser = row({
  method: 'get',
  path: '/api/users/{id}',
  tags: ['Contract 002: session-id'],
  summary: 'The user',
  security: BEARER,
  request: { params: z.object({ id: z.string().openapi({ example: '1' }) }) },
  responses: {
    200: json('The user.', shape.user, { ...shape.USER, id: 1, email: 'admin@example.com', role: 'admin' }),
    400: plain('An address that is not UTF-8.', 'id: must be UTF-8', '/api/users/%FF'),
    401: plain('No live session.', 'Not authenticated', '/api/users/1'),
    403: plain('Another user, and not an administrator.', 'Access denied', '/api/users/1'),
    404: plain('For an administrator: no such user.', 'User not found', '/api/users/99'),
    500: plain('Something failed on our side.', 'Internal server error', '/api/users/1'),
  },
});

export const sessionIdLogout = row({
  method: 'post',
  path: '/api/auth/logout',
  tags: ['Contract 002: session-id'],
  summary: 'Log out the session named',
  request: {
    query: z.object({
      userId: z.string().optional().openapi({ example: '1' }),
      sessionId: z.string().optional().openapi({ example: 'sess_…' }),
    }),
  },
  responses: {
    200: json('Logged out.', z.object({ success: z.literal(true), message: z.string() }), {
      success: true,
      message: 'Logged out successfully',
    }),
    400: plain('A parameter is missing.', 'userId and sessionId parameters are required', '/api/auth/logout'),
    404: plain('Unknown, over, or another’s.', 'Session not found or already expired', '/api/auth/logout'),
    500: plain('Not logged out.', 'Logout failed: Internal server error', '/api/auth/logout'),
  },
});

/* 003, token ---------------------------------------------------------------------------------------------- */

const message = (description: string, text: string) =>
  json(description, z.object({ message: z.string() }), { message: text });
const UNAUTHENTICATED = message('No header, or no live token.', 'Unauthenticated.');
const tokens = z.object({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
});
const TOKENS = { access_token: '1|…', refresh_token: 'rt_…', token_type: 'Bearer', expires_in: 3600 };
const invalid = (field: string) =>
  json(
    'A field is missing or malformed.',
    z.object({ message: z.string(), errors: z.record(z.string(), z.array(z.string())) }),
    { message: `The ${field} field is required.`, errors: { [field]: [`The ${field} field is required.`] } },
  );
const SERVER_ERROR = message('Something failed on our side.', 'Server Error');
const TOO_LARGE = message('The body is too large.', 'The request is too large.');

export const tokenLogin = row({
  method: 'post',
  path: '/api/v1/auth/login',
  tags: ['Contract 003: token'],
  summary: 'Log in',
  request: {
    body: body(z.object({ email: shape.login, password: shape.password }), {
      email: 'test@example.com',
      password: 'password123',
    }),
  },
  responses: {
    200: json('Logged in.', tokens, TOKENS),
    401: message('Wrong.', 'Invalid credentials.'),
    413: TOO_LARGE,
    422: invalid('email'),
    429: message('Too many failed logins.', 'Too Many Attempts.'),
    500: SERVER_ERROR,
    503: message('Too many logins at once.', 'Service Unavailable.'),
  },
});

export const tokenRefresh = row({
  method: 'post',
  path: '/api/v1/auth/refresh',
  tags: ['Contract 003: token'],
  summary: 'Refresh',
  request: {
    body: body(z.object({ refresh_token: z.string().min(1).max(2048) }), { refresh_token: 'rt_…' }),
  },
  responses: {
    200: json('The successor.', tokens, TOKENS),
    401: UNAUTHENTICATED,
    413: TOO_LARGE,
    422: invalid('refresh_token'),
    500: SERVER_ERROR,
    503: message('The database did not answer.', 'Service Unavailable.'),
  },
});

export const tokenStatus = row({
  method: 'get',
  path: '/api/v1/auth/status',
  tags: ['Contract 003: token'],
  summary: 'Status',
  security: BEARER,
  responses: {
    200: json('Alive.', z.object({ authenticated: z.literal(true), user: shape.user }), {
      authenticated: true,
      user: shape.USER,
    }),
    401: UNAUTHENTICATED,
    500: SERVER_ERROR,
    503: message('The database did not answer.', 'Service Unavailable.'),
  },
});

export const tokenLogout = row({
  method: 'post',
  path: '/api/v1/auth/logout',
  tags: ['Contract 003: token'],
  summary: 'Log out: every token and session of the user',
  security: BEARER,
  responses: {
    200: message('Logged out.', 'Successfully logged out'),
    401: UNAUTHENTICATED,
    500: SERVER_ERROR,
    503: message('Not logged out.', 'Not logged out, try again.'),
  },
});
