import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { logIn } from '../../actions/log-in.ts';
import { NOBODY } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { COOKIE } from '../contracts/004-cookie/detail.ts';
import { refuse } from '../respond.ts';
import { logInGivingCookie } from '../session-cookie.ts';
import { unknownClient } from './faults.ts';
import { issued, ISSUED_EXAMPLE, startedBody } from './issued.ts';

export const postLogin = serveRow(
  {
    method: 'post',
    path: '/v1/login',
    operationId: 'logIn',
    tags: ['Sessions'],
    summary: 'Log in',
    description:
      'Takes an e-mail address and a password, and opens a session. Returns tokens, or sets a cookie and returns its CSRF token.',
    caller: NOBODY,
    request: {
      body: body(
        z.strictObject({
          email: field.login,
          password: field.password,
          transport: z.enum(['bearer', 'cookie']).default('bearer'),
          client_id: field.clientId.default('default').describe('The application that logs in.'),
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
        'unauthorized_client',
        'too_large',
        'unsupported_media_type',
        'rate_limited',
        'overloaded',
        'unavailable',
      ),
    },
  },
  async ({ c, world, family, input, context }) => {
    const { email, password, transport, client_id: clientId, device = {} } = input.body;
    if (!world.clients.clients.has(clientId)) return unknownClient(c);
    const login = { email, password, clientId, device };
    const started =
      transport === 'cookie'
        ? await logInGivingCookie(c, { ...COOKIE, ...login })
        : await logIn(world, { ...login, contract: family.name, grant: family.grant }, context());
    switch (started.outcome) {
      case 'foreign_page':
        return refuse(c, 'csrf_failed');
      case 'invalid_credentials':
        return refuse(c, 'invalid_credentials');
      case 'unauthorized_client':
        return refuse(c, 'unauthorized_client', { detail: started.sentence });
      case 'rate_limited':
        return refuse(c, 'rate_limited', {}, { 'retry-after': String(started.retryAfterSeconds) });
      case 'started':
        return c.json(startedBody(started));
    }
  },
);
