import { z } from '@hono/zod-openapi';
import * as field from '../../../actions/fields.ts';
import { logIn } from '../../../actions/log-in.ts';
import { NOBODY } from '../../../domain/caller-rule.ts';
import { loginTerms } from '../../contract/family.ts';
import { body, json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { required } from '../issued-tokens.ts';
import { error, plainRefusal } from './error.ts';

export const postLogin = serveRow(
  {
    method: 'post',
    path: '/api/auth/login',
    operationId: 'sessionIdLogIn',
    tags: ['Contract 002: session-id'],
    summary: 'Log in',
    caller: NOBODY,
    request: {
      body: body(z.object({ username: field.login, password: field.password }), {
        username: 'admin@example.com',
        password: 'password123',
      }),
    },
    responses: {
      200: json(
        'Logged in.',
        z.object({
          success: z.literal(true),
          data: z.object({ userId: field.userId, sessionToken: z.string(), expiresAt: z.string() }),
        }),
        { success: true, data: { userId: 1, sessionToken: 'sess_…', expiresAt: '2026-12-20T12:00:00.000Z' } },
      ),
      400: plainRefusal('A field is missing or malformed.', 'username: is required', '/api/auth/login'),
      401: plainRefusal('Wrong.', 'Invalid username or password', '/api/auth/login'),
      403: plainRefusal(
        'The application of this contract is disabled, or does not allow passwords.',
        'The application "session-id" is disabled.',
        '/api/auth/login',
      ),
      413: plainRefusal('The body is too large.', 'The request is too large', '/api/auth/login'),
      429: plainRefusal(
        'Too many failed logins.',
        'Too many failed logins, try again later',
        '/api/auth/login',
      ),
      500: plainRefusal('Something failed on our side.', 'Internal server error', '/api/auth/login'),
      503: plainRefusal('Too many logins at once.', 'Too many logins at once, try again', '/api/auth/login'),
    },
  },
  async ({ c, world, family, input, context }) => {
    const { username: email, password } = input.body;
    const started = await logIn(world, { ...loginTerms(family), email, password }, context());
    switch (started.outcome) {
      case 'invalid_credentials':
        return error(c, 401, 'Invalid username or password');
      case 'unauthorized_client':
        return error(c, 403, started.sentence);
      case 'rate_limited':
        return error(c, 429, 'Too many failed logins, try again later', {
          'retry-after': String(started.retryAfterSeconds),
        });
      case 'started': {
        const { session, tokens } = started;
        const sessionToken = required(tokens.session, session);
        const expiresAt = session.expiresAt.toISOString();
        return c.json({ success: true, data: { userId: session.userId, sessionToken, expiresAt } });
      }
    }
  },
);
