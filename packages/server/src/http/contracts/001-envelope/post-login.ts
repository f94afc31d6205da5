import { z } from '@hono/zod-openapi';
import * as field from '../../../actions/fields.ts';
import { logIn } from '../../../actions/log-in.ts';
import { NOBODY } from '../../../domain/caller-rule.ts';
import { csrfToken } from '../../../domain/credentials.ts';
import { body, json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import * as shape from '../../contract/shapes.ts';
import { userBody } from '../../respond.ts';
import { logInGivingCookie } from '../../session-cookie.ts';
import { COOKIE, cookieDetail, cookieRefusal } from '../004-cookie/detail.ts';
import { bearerTokens } from '../issued-tokens.ts';
import {
  answer,
  done,
  envelope,
  ENVELOPE_TOKENS,
  envelopeTokens,
  INTERNAL,
  refusal,
  UNAVAILABLE,
} from './envelope.ts';

export const postLogin = serveRow(
  {
    method: 'post',
    path: '/auth/login',
    operationId: 'envelopeLogIn',
    tags: ['Contract 001: envelope', 'Contract 004: cookie'],
    summary: 'Log in',
    caller: NOBODY,
    request: {
      body: body(
        z.object({
          email: field.login,
          password: field.password,
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
        'A cookie login from another website.',
        'CSRF_FAILED',
        'The request does not come from a trusted origin',
      ),
      413: refusal('The body is too large.', 'The request is too large', 'TOO_LARGE'),
      429: refusal('Too many failed logins.', 'Too many failed logins. Try again later', 'RATE_LIMITED'),
      500: INTERNAL,
      503: UNAVAILABLE,
    },
  },
  async ({ c, world, family, input, context }) => {
    const { email, password, transport } = input.body;
    const login = { email, password, device: {} };
    const started =
      transport === 'cookie'
        ? await logInGivingCookie(c, { ...COOKIE, clientId: 'cookie', ...login })
        : await logIn(
            world,
            { contract: family.name, grant: family.grant, clientId: family.client, ...login },
            context(),
          );
    switch (started.outcome) {
      case 'foreign_page':
        return cookieDetail(c, 403, 'CSRF_FAILED', 'The request does not come from a trusted origin');
      case 'invalid_credentials':
        return answer(c, 401, { message: 'Invalid email or password', code: 'INVALID_CREDENTIALS' });
      case 'rate_limited':
        return answer(
          c,
          429,
          { message: 'Too many failed logins. Try again later', code: 'RATE_LIMITED' },
          { 'retry-after': String(started.retryAfterSeconds) },
        );
      case 'started': {
        const user = userBody(started.session.user);
        const data =
          started.tokens.cookie === undefined
            ? { ...bearerTokens(started.tokens), user }
            : { user, csrf_token: csrfToken(started.tokens.cookie) };
        return answer(c, 200, { message: 'Login successful', data });
      }
    }
  },
);
