import { z } from '@hono/zod-openapi';
import { audited } from '../../../actions/await-readers.ts';
import { logOut } from '../../../actions/log-out.ts';
import { SESSION_TO_CHANGE } from '../../../domain/caller-rule.ts';
import { json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { propagationHeader } from '../../respond.ts';
import { clearFromBrowser } from '../../session-cookie.ts';
import { cookieRefusal, invalidScope, NO_SESSION } from './detail.ts';

const SCOPES = ['this', 'all', 'others'] as const;

export const postLogout = serveRow(
  {
    method: 'post',
    path: '/auth/logout',
    answersOnly: { via: 'cookie' },
    operationId: 'cookieLogOut',
    tags: ['Contract 004: cookie'],
    summary: 'Log out',
    description:
      'With the session cookie and without that header (004) it ends this session, or by `scope` all sessions or the others, and deletes the cookie.',
    caller: SESSION_TO_CHANGE,
    request: { query: z.object({ scope: z.enum(SCOPES).optional() }), asWritten: true },
    responses: {
      200: json('Logged out.', z.object({ message: z.string() }), { message: 'Logout successful' }),
      400: cookieRefusal(
        'An unknown scope; nothing was ended.',
        'INVALID_SCOPE',
        'scope must be this, all or others',
      ),
      401: NO_SESSION,
      403: cookieRefusal(
        'The CSRF token is missing, or the request came from another website.',
        'CSRF_FAILED',
        'The request must come from a trusted origin and carry X-CSRF-Token',
      ),
      500: cookieRefusal('Cookie: not logged out.', 'LOGOUT_FAILED', 'Not logged out, try again'),
    },
  },
  async ({ c, world, caller: { session }, context }) => {
    const scopes = c.req.queries('scope') ?? ['this'];
    const scope = SCOPES.find((name) => scopes.length === 1 && name === scopes[0]);
    if (!scope) return invalidScope(c);
    const settled = await logOut(world, session, { scope }, context());
    await audited(world);
    if (scope !== 'others') clearFromBrowser(c);
    return c.json({ message: 'Logout successful' }, 200, propagationHeader(c, settled));
  },
);
