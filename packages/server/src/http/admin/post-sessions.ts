import { unknownClient } from '../v1/faults.ts';
import { csrfToken } from '../../domain/credentials.ts';
import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import type { ServiceCaller } from '../../actions/admit.ts';
import { createOrGetUser } from '../../actions/create-or-get-user.ts';
import { issuerWithin } from '../../actions/users-of-client.ts';
import type { Role } from '../../domain/session.ts';
import type { RequestContext, World } from '../../world/world.ts';
import { startForService } from '../../actions/start-for-service.ts';
import type { StartedSession } from '../../actions/start-session.ts';
import { reaches } from '../../domain/api-key.ts';
import { DEFAULT_CLIENT, whyNotOpened } from '../../domain/client-terms.ts';
import { serviceKey } from '../../domain/caller-rule.ts';
import { body, json, problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { refuse } from '../respond.ts';
import { ISSUED_EXAMPLE, issued, issuedBody } from '../v1/issued.ts';
import { USERS_OF_KEY } from './account.ts';
import { WRITE_PROBLEMS } from './problems.ts';

const OPENED_AS = {
  bearer: { contract: 'v1', grant: 'bearer' },
  opaque: { contract: 'session-id', grant: 'session' },
  cookie: { contract: 'cookie', grant: 'cookie' },
} as const;

export const postSession = serveRow(
  {
    method: 'post',
    path: '/v1/admin/sessions',
    operationId: 'startSession',
    tags: ['Administration'],
    summary: 'Open a session for a user who logged in elsewhere',
    description:
      'For your own login: the calling service has authenticated the user. `count` opens several sessions at once. Transport "opaque" returns the session token of contract 002. ' +
      USERS_OF_KEY,
    caller: serviceKey('sessions:open', 'admin_forbidden', 'and clients'),
    request: {
      body: body(
        z
          .strictObject({
            user_id: field.userId.optional(),
            user: z
              .strictObject({
                external_id: field.externalId,
                issuer: field.issuerOfId,
                email: field.email,
                name: field.text(200).default(''),
                role: shape.role.default('user'),
              })
              .optional()
              .describe(
                'In place of `user_id`: the user with this id in your own system. Curfew creates the account if there is none, for a key with the scope `users`. An existing account stays as is. An e-mail address that another user has is 409: accounts are never linked.',
              ),
            transport: z.enum(['bearer', 'opaque', 'cookie']).default('bearer'),
            client_id: field.clientId
              .optional()
              .describe('Default: the client of the key; with a key that has none, "default".'),
            device: shape.device.optional(),
            count: z.number().int().min(1).max(1000).optional(),
          })
          .refine(({ user_id, user }) => (user_id === undefined) !== (user === undefined), {
            message: 'must be given, or user in its place',
            path: ['user_id'],
          }),
        { user_id: 2 },
      ),
    },
    responses: {
      200: json(
        'The session; with `count`, a list of sessions.',
        z.union([
          issued.extend({ cookie: z.object({ name: z.string(), value: z.string() }).optional() }),
          z.object({ sessions: z.array(issued) }),
        ]),
        ISSUED_EXAMPLE,
      ),
      ...problems(...WRITE_PROBLEMS, 'unauthorized_client', 'not_found', 'conflict'),
    },
  },
  async ({ c, world, caller, input, context }) => {
    const { user_id: givenId, user, transport, device = {}, count } = input.body;
    const clientId = input.body.client_id ?? caller.reach.clientId ?? DEFAULT_CLIENT;
    if (!reaches(caller.reach, clientId)) return refuse(c, 'insufficient_scope', { field: 'client_id' });
    const client = world.clients.clients.get(clientId);
    if (!client) return unknownClient(c);
    const sentence = whyNotOpened(client, 'service');
    if (sentence !== null) return refuse(c, 'unauthorized_client', { detail: sentence });
    const how = { ...OPENED_AS[transport], clientId, grantType: 'service', device } as const;
    const found = user ? await userOf(world, user, caller, context()) : null;
    if (found?.outcome === 'taken') return refuse(c, 'conflict', { field: 'user.email' });
    const userId = found?.user.id ?? givenId ?? 0;
    const started = await startForService(world, caller, userId, how, context(), count ?? 1);
    if (!started) return refuse(c, 'not_found', { field: user ? 'user' : 'user_id' });
    const bodies = started.map((one) => sessionBodyOf(one, world.config.cookie.name));
    return c.json(count === undefined ? bodies[0] : { sessions: bodies });
  },
);

interface UserElsewhere {
  external_id: string;
  issuer?: string | undefined;
  email: string;
  name: string;
  role: Role;
}

/** The user of the caller's own system. */
function userOf(
  world: World,
  { external_id: id, issuer: given, ...user }: UserElsewhere,
  { actor, reach }: ServiceCaller,
  context: RequestContext,
) {
  const issuer = issuerWithin(world, reach, given, 'user.issuer');
  const wanted = { ...user, password: null, workspace: '' };
  return createOrGetUser(world, { issuer, id }, wanted, { actor, reach, sid: null, userId: null }, context);
}

/** In the body, because the service has no browser and passes the cookie on. */
function sessionBodyOf(started: StartedSession, cookieName: string): Record<string, unknown> {
  const { cookie: value } = started.tokens;
  if (value === undefined) return issuedBody(started);
  return { ...issuedBody(started), cookie: { name: cookieName, value }, csrf_token: csrfToken(value) };
}
