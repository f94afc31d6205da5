import { z } from '@hono/zod-openapi';
import * as field from '../../actions/fields.ts';
import { authenticate, authenticateRemembered } from '../../actions/authenticate.ts';
import { CREDENTIAL_ITSELF } from '../../domain/caller-rule.ts';
import type { LiveSession } from '../../domain/session.ts';
import { presented } from '../callers.ts';
import { problems } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import { refuse } from '../respond.ts';
import { deleteDeadCookie } from '../session-cookie.ts';

/** The caller's identity, for the proxy: always all headers, so that the proxy overwrites a client's forgeries. */
export function identityHeaders(session: LiveSession): [string, string][] {
  return [
    ['Curfew-Subject', String(session.userId)],
    ['Curfew-Session', session.sid],
    ['Curfew-Client', session.clientId],
    ['Curfew-Role', session.user.role],
    ['Curfew-External-Id', session.user.external?.id ?? ''],
    ['Curfew-External-Issuer', session.user.external?.issuer ?? ''],
  ];
}

const identity = z.object({
  'curfew-subject': z.string().describe("The user's id."),
  'curfew-session': z.string().describe('The `sid`.'),
  'curfew-client': z.string(),
  'curfew-role': z.string(),
  'curfew-external-id': z
    .string()
    .describe(
      'The id that your own system has for the user, unique within the issuer; empty if there is none.',
    ),
  'curfew-external-issuer': z.string().describe('The name of that system; empty if there is none.'),
});

export const getCheck = serveRow(
  {
    method: 'get',
    path: '/v1/check',
    operationId: 'checkSession',
    anyMethod: true,
    tags: ['Sessions'],
    summary: 'Check a session',
    description:
      'Says whether the session of a credential is alive. For a proxy (forward-auth: nginx auth_request, Traefik forwardAuth, Caddy forward_auth, Envoy ext_authz) or a back end. Accepts a JWT, an opaque token or the cookie. Any method and any path below this one give the same answer, so a proxy may forward those of the original request. Bodies are ignored. The call counts as activity. The node answers from memory while it is fresh.',
    caller: CREDENTIAL_ITSELF,
    request: {
      query: z.object({
        audience: field.audience
          .optional()
          .describe(
            'The audience that the credential must have, which is the audience of its application. Credentials of another audience are refused. Other parameters are ignored.',
          ),
      }),
    },
    responses: {
      200: { description: 'The session is alive. The headers identify it.', headers: identity },
      ...problems('invalid_request', 'not_authenticated', 'unavailable'),
    },
  },
  async ({ c, world, caller: { credential }, input }) => {
    const { audience } = input.query;
    const remembered = await authenticateRemembered(world, credential, true, audience);
    if (remembered) return c.body(null, 200, Object.fromEntries(identityHeaders(remembered.session)));
    const isOver = audience === undefined || !(await authenticate(world, credential, false));
    if (isOver) await deleteDeadCookie(c, presented(c));
    return refuse(c, 'not_authenticated');
  },
);
