import { z } from '@hono/zod-openapi';
import { json, problems, row, SERVICE } from './row.ts';
import { audience } from './shapes.ts';

const TAG = ['OAuth'];

/** RFC 7662 section 2.2; what is not there is not known to the caller's business. */
const introspection = z.object({
  active: z.boolean(),
  sid: z.string().optional(),
  sub: z.string().optional(),
  client_id: z.string().optional(),
  device_id: z.string().optional(),
  born: z.number().int().optional().describe('The position at which the session began.'),
  epoch: z.string().optional().describe('The history of the database that this node knows.'),
  iat: z.number().int().optional(),
  exp: z.number().int().optional().describe('When the credential, or its session, runs out at the latest.'),
  iss: z.string().optional(),
  aud: z.string().optional().describe('Whom the application of the session is for.'),
  token_type: z.string().optional(),
  username: z.string().optional(),
  role: z.string().optional(),
});

export const introspect = row({
  method: 'post',
  path: '/oauth/introspect',
  tags: TAG,
  summary: 'Is this credential alive? (RFC 7662)',
  description:
    'For back ends with a service key: any credential of any API family. An answer is true at the moment at which it is given; whoever keeps it must follow `/v1/feed`. Counts as use of the session.',
  security: SERVICE,
  request: {
    body: {
      required: true,
      content: {
        'application/x-www-form-urlencoded': {
          schema: z.object({
            token: z.string().min(1).max(4096),
            token_type_hint: z.string().max(64).optional(),
            audience: audience
              .optional()
              .describe('Whom the credential must be for. One for another audience is not active.'),
          }),
          example: { token: 'eyJ…' },
        },
      },
    },
  },
  responses: {
    200: json('Its session, or `{"active": false}`.', introspection, {
      active: true,
      sid: '01890f3c-7c1e-7a52-9d0e-3b1f5c2a7e90',
      sub: '2',
      client_id: 'default',
      device_id: '01890f3c-7c1e-7a52-9d0e-3b1f5c2a7e91',
      born: 4711,
      epoch: '1.9f8b7c6d5e4f',
      iat: 1_790_000_000,
      exp: 1_790_000_300,
      iss: 'https://auth.example.com',
      aud: 'https://api.example.com',
      token_type: 'Bearer',
      username: 'test@example.com',
      role: 'user',
    }),
    ...problems('invalid_request', 'not_authenticated', 'too_large', 'unsupported_media_type', 'unavailable'),
  },
});
