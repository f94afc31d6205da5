import { z } from '@hono/zod-openapi';
import * as field from '../../../actions/fields.ts';
import { logIn } from '../../../actions/log-in.ts';
import { NOBODY } from '../../../domain/caller-rule.ts';
import { loginTerms } from '../../contract/family.ts';
import { body, json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { userBody } from '../../respond.ts';
import { bearerTokens } from '../issued-tokens.ts';
import {
  answer,
  done,
  envelope,
  ENVELOPE_TOKENS,
  envelopeTokens,
  LOGIN_REFUSALS,
  refuseLogin,
} from './envelope.ts';

/** "cookie" is contract 004's, which has a row of its own. */
const transport = z.literal('bearer', 'Invalid option: expected one of "bearer"|"cookie"');

export const postLogin = serveRow(
  {
    method: 'post',
    path: '/auth/login',
    operationId: 'envelopeLogIn',
    tags: ['Contract 001: envelope'],
    summary: 'Log in',
    caller: NOBODY,
    request: {
      body: body(
        z.object({ email: field.login, password: field.password, transport: transport.optional() }),
        { email: 'test@example.com', password: 'password123' },
      ),
    },
    responses: {
      200: json('Logged in.', envelope(envelopeTokens), done('Login successful', ENVELOPE_TOKENS)),
      ...LOGIN_REFUSALS,
    },
  },
  async ({ c, world, family, input, context }) => {
    const { email, password } = input.body;
    const started = await logIn(world, { ...loginTerms(family), email, password }, context());
    if (started.outcome !== 'started') return refuseLogin(c, started);
    const data = { ...bearerTokens(started.tokens), user: userBody(started.session.user) };
    return answer(c, 200, { message: 'Login successful', data });
  },
);
