import { audited } from '../../../actions/await-readers.ts';
import { logOut } from '../../../actions/log-out.ts';
import type { World } from '../../../world/world.ts';
import type { LiveSession } from '../../../domain/session.ts';
import { contextOf } from '../../callers.ts';
import type { Call } from '../../environment.ts';
import { type Fault, propagationHeader } from '../../respond.ts';
import { clearFromBrowser } from '../../session-cookie.ts';
import { cookieDetail } from './detail.ts';

const invalidScope = (c: Call): Response =>
  cookieDetail(c, 400, 'INVALID_SCOPE', 'scope must be this, all or others');

const SCOPES = ['this', 'all', 'others'] as const;

/** `POST /auth/logout` with the cookie. */
export async function logOutCookie(c: Call, world: World, session: LiveSession): Promise<Response> {
  const scopes = c.req.queries('scope') ?? ['this'];
  const scope = SCOPES.find((name) => scopes.length === 1 && name === scopes[0]);
  if (!scope) return invalidScope(c);
  const settled = await logOut(world, session, { scope }, contextOf(c, 'cookie'));
  await audited(world);
  if (scope !== 'others') clearFromBrowser(c);
  return c.json({ message: 'Logout successful' }, 200, propagationHeader(c, settled));
}

export function onCookieLogoutFault(c: Call, fault: Fault): Response {
  if (typeof fault === 'object') return invalidScope(c);
  switch (fault) {
    case 'csrf_failed':
      return cookieDetail(
        c,
        403,
        'CSRF_FAILED',
        'The request must come from a trusted origin and carry X-CSRF-Token',
      );
    case 'not_authenticated':
      return cookieDetail(c, 401, 'NOT_AUTHENTICATED', 'Not authenticated');
    default:
      return cookieDetail(c, 500, 'LOGOUT_FAILED', 'Not logged out, try again');
  }
}
