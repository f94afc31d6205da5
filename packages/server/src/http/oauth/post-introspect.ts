import { z } from '@hono/zod-openapi';
import { beginningOf } from '@curfew/protocol/access-token';
import * as field from '../../actions/fields.ts';
import { audienceOf } from '../../domain/audience.ts';
import { authenticateRemembered } from '../../actions/authenticate.ts';
import type { Remembered } from '../../cluster/memory/session-memory.ts';
import { serviceKey } from '../../domain/caller-rule.ts';
import { parseBearer, parseOpaque } from '../../domain/credentials.ts';
import type { World } from '../../world/world.ts';
import { form, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';

/** RFC 7662 section 2.2. For an inactive credential only `active: false` is required. */
const introspection = z.object({
  active: z.boolean(),
  sid: z.string().optional(),
  sub: z.string().optional(),
  client_id: z.string().optional(),
  device_id: z.string().optional(),
  born: z
    .number()
    .int()
    .optional()
    .describe('The position at which the session began. Absent for a session with a `login`.'),
  begun: z.number().int().optional().describe('The position at which a session with a `login` began.'),
  login: z
    .object({ sid: z.string(), born: z.number().int(), client_id: z.string() })
    .optional()
    .describe(
      'The login that the session was begun through, and ends with: the `sid` that it began with, its position and its application. Absent for a login of its own.',
    ),
  tenant: z.string().optional().describe("The user's tenant."),
  epoch: z.string().optional().describe('The history (epoch) of the database that this node knows.'),
  iat: z.number().int().optional(),
  exp: z.number().int().optional().describe('When the credential or its session expires at the latest.'),
  iss: z.string().optional(),
  aud: z.string().optional().describe('The audience of the application of the session.'),
  token_type: z.string().optional(),
  username: z.string().optional(),
  role: z.string().optional(),
  external_id: z
    .string()
    .optional()
    .describe('The id that your own system has for the user, unique within `external_issuer`.'),
  external_issuer: z.string().optional().describe('The name of that system.'),
});

export const postIntrospect = serveRow(
  {
    method: 'post',
    path: '/oauth/introspect',
    operationId: 'introspectToken',
    tags: ['OAuth'],
    summary: 'Introspect a credential (RFC 7662)',
    description:
      'For back ends with a key. Accepts any credential of any API family; for a client’s key, credentials of another audience than the client’s are not active. The answer is true when it is given; a caller that caches it must follow `/v1/feed`. The call counts as activity of the session.',
    caller: serviceKey('verify', 'service_key_refused', 'and clients'),
    request: {
      body: form(
        z.object({
          token: z.string().min(1).max(4096),
          token_type_hint: z.string().max(64).optional(),
          audience: field.audience
            .optional()
            .describe(
              'The audience that the credential must have. A credential of another audience is not active.',
            ),
        }),
        { token: 'eyJ…' },
      ),
    },
    responses: {
      200: json('The session, or `{"active": false}`.', introspection, {
        active: true,
        sid: '01890f3c-7c1e-7a52-9d0e-3b1f5c2a7e90',
        sub: '2',
        client_id: 'default',
        device_id: '01890f3c-7c1e-7a52-9d0e-3b1f5c2a7e91',
        born: 4711,
        tenant: 'default',
        epoch: '1.9f8b7c6d5e4f',
        iat: 1_790_000_000,
        exp: 1_790_000_300,
        iss: 'https://auth.example.com',
        aud: 'https://api.example.com',
        token_type: 'Bearer',
        username: 'test@example.com',
        role: 'user',
      }),
      ...problems(
        'invalid_request',
        'not_authenticated',
        'insufficient_scope',
        'too_many_invalid_keys',
        'too_large',
        'unsupported_media_type',
        'unavailable',
      ),
    },
  },
  async ({ c, world, caller: { reach }, input }) => {
    const { token } = input.body;
    const audience =
      reach.clientId === null ? input.body.audience : audienceOf(world.clients, { clientId: reach.clientId });
    if (audience === null || (input.body.audience ?? audience) !== audience) return c.json({ active: false });
    // A back end passes on what it was given, in a header or in a cookie.
    const credential = parseBearer(token) ?? parseOpaque('cookie', token);
    // Read first: the answer is no newer than this.
    const { epoch } = world.nodes.node;
    const known = credential ? await authenticateRemembered(world, credential, true, audience) : null;
    return c.json(known ? activeBody(world, known, epoch) : { active: false });
  },
);

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);

function activeBody(
  { config, clients }: World,
  { session, idleUntilMs, expiresAtMs }: Remembered,
  epoch: string | null,
): Record<string, unknown> {
  return {
    active: true,
    sid: session.sid,
    sub: session.subject,
    client_id: session.clientId,
    device_id: session.deviceId,
    ...beginningOf(session),
    tenant: session.tenant,
    epoch: epoch ?? undefined,
    iat: seconds(session.createdAt),
    exp: Math.floor(Math.min(expiresAtMs, idleUntilMs) / 1000),
    iss: config.issuer,
    // Null where the application does not exist any more.
    aud: audienceOf(clients, session) ?? undefined,
    token_type: 'Bearer',
    username: session.user.email,
    role: session.user.role,
    external_id: session.user.external?.id,
    external_issuer: session.user.external?.issuer,
  };
}
