import { z } from '@hono/zod-openapi';
import * as field from '../../../actions/fields.ts';
import { logIn } from '../../../actions/log-in.ts';
import { NOBODY } from '../../../domain/caller-rule.ts';
import { loginTerms } from '../../contract/family.ts';
import { body, json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { bearerTokens } from '../issued-tokens.ts';
import { invalid, message, says, SERVER_ERROR, TOKENS, tokens, TOO_LARGE } from './message.ts';

export const postLogin = serveRow(
  {
    method: 'post',
    path: '/api/v1/auth/login',
    operationId: 'tokenLogIn',
    tags: ['Contract 003: token'],
    summary: 'Log in',
    caller: NOBODY,
    request: {
      body: body(z.object({ email: field.login, password: field.password }), {
        email: 'test@example.com',
        password: 'password123',
      }),
    },
    responses: {
      200: json('Logged in.', tokens, TOKENS),
      401: says('Wrong.', 'Invalid credentials.'),
      403: says(
        'The application of this contract is disabled, or does not allow passwords.',
        'The application "token" is disabled.',
      ),
      413: TOO_LARGE,
      422: invalid('email'),
      429: says('Too many failed logins.', 'Too Many Attempts.'),
      500: SERVER_ERROR,
      503: says('Too many logins at once.', 'Service Unavailable.'),
    },
  },
  async ({ c, world, family, input, context }) => {
    const started = await logIn(world, { ...loginTerms(family), ...input.body }, context());
    switch (started.outcome) {
      case 'invalid_credentials':
        return message(c, 401, 'Invalid credentials.');
      case 'unauthorized_client':
        return message(c, 403, started.sentence);
      case 'rate_limited':
        return message(c, 429, 'Too Many Attempts.', { 'retry-after': String(started.retryAfterSeconds) });
      case 'started':
        return c.json(bearerTokens(started.tokens));
    }
  },
);
