import { z } from '@hono/zod-openapi';
import * as field from '../../../actions/fields.ts';
import { NOBODY } from '../../../domain/caller-rule.ts';
import { csrfToken } from '../../../domain/credentials.ts';
import { loginTerms } from '../../contract/family.ts';
import { body, json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import * as shape from '../../contract/shapes.ts';
import { userBody } from '../../respond.ts';
import { logInGivingCookie } from '../../session-cookie.ts';
import {
  answer,
  done,
  envelope,
  LOGIN_REFUSALS,
  onEnvelopeFault,
  refuseLogin,
} from '../001-envelope/envelope.ts';
import { required } from '../issued-tokens.ts';
import { cookieDetail, detail } from './detail.ts';

export const postLogin = serveRow(
  {
    method: 'post',
    path: '/auth/login',
    answersOnly: { member: 'transport', is: 'cookie' },
    operationId: 'cookieLogIn',
    tags: ['Contract 004: cookie'],
    summary: 'Log in',
    caller: NOBODY,
    request: {
      body: body(z.object({ email: field.login, password: field.password, transport: z.literal('cookie') }), {
        email: 'test@example.com',
        password: 'password123',
        transport: 'cookie',
      }),
    },
    responses: {
      ...LOGIN_REFUSALS,
      200: json(
        'With transport "cookie" the answer sets the session cookie and carries `csrf_token` and no tokens.',
        envelope(z.object({ user: shape.user, csrf_token: z.string() })),
        done('Login successful', { user: shape.USER, csrf_token: '…' }),
      ),
      403: json(
        'A cookie login from another website. Or, as an envelope: the application of this contract is disabled, or does not allow passwords.',
        z.union([detail, envelope(z.null())]),
        { detail: { error_code: 'CSRF_FAILED', message: 'The request does not come from a trusted origin' } },
      ),
    },
  },
  async ({ c, family, input }) => {
    const { email, password } = input.body;
    const started = await logInGivingCookie(c, { ...loginTerms(family), email, password });
    if (started.outcome === 'foreign_page')
      return cookieDetail(c, 403, 'CSRF_FAILED', 'The request does not come from a trusted origin');
    if (started.outcome !== 'started') return refuseLogin(c, started);
    const { session, tokens } = started;
    const data = { user: userBody(session.user), csrf_token: csrfToken(required(tokens.cookie, session)) };
    return answer(c, 200, { message: 'Login successful', data });
  },
  (c, fault) => onEnvelopeFault(c, fault),
);
