import { z } from '@hono/zod-openapi';
import { evicted } from '../../../actions/await-readers.ts';
import { logOut } from '../../../actions/log-out.ts';
import { dependent, SESSION_LOOKED_AT, SESSION_TO_CHANGE } from '../../../domain/caller-rule.ts';
import { presented } from '../../callers.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { propagationHeader, RETRY_AFTER } from '../../respond.ts';
import { clearIfOver } from '../../session-cookie.ts';
import { cookieRefusal, detail } from '../004-cookie/detail.ts';
import { logOutCookie, onCookieLogoutFault } from '../004-cookie/log-out.ts';
import { answer, done, envelope, failed, notAuthenticatedAnswer, refusal } from './envelope.ts';

const WITH_COOKIE = { ...SESSION_TO_CHANGE, notedAs: 'cookie' } as const;

export const postLogout = serveRow(
  {
    method: 'post',
    path: '/auth/logout',
    operationId: 'envelopeOrCookieLogOut',
    tags: ['Contract 001: envelope', 'Contract 004: cookie'],
    summary: 'Log out',
    description:
      'With an Authorization header (001) it ends every session of the user. With the session cookie and without that header (004) it ends this session, or by `scope` all sessions or the others, and deletes the cookie.',
    caller: dependent([SESSION_LOOKED_AT, WITH_COOKIE], ({ from }) =>
      from.via === 'cookie' ? WITH_COOKIE : SESSION_LOOKED_AT,
    ),
    request: { query: z.object({ scope: z.enum(['this', 'all', 'others']).optional() }), asWritten: true },
    responses: {
      200: {
        description: 'Logged out.',
        content: {
          'application/json': {
            schema: z.union([envelope(z.null()), z.object({ message: z.string() })]),
            examples: {
              envelope: { value: done('Logout successful', null) },
              cookie: { value: { message: 'Logout successful' } },
            },
          },
        },
      },
      400: {
        description: 'An unknown scope, or an address that is not UTF-8; nothing was ended.',
        content: {
          'application/json': {
            schema: z.union([envelope(z.null()), detail]),
            examples: {
              envelope: { value: failed('scope: must be UTF-8', 'VALIDATION_ERROR', 'scope') },
              cookie: {
                value: {
                  detail: { error_code: 'INVALID_SCOPE', message: 'scope must be this, all or others' },
                },
              },
            },
          },
        },
      },
      401: notAuthenticatedAnswer,
      403: cookieRefusal(
        'The CSRF token is missing, or the request came from another website.',
        'CSRF_FAILED',
        'The request must come from a trusted origin and carry X-CSRF-Token',
      ),
      500: cookieRefusal('Cookie: not logged out.', 'LOGOUT_FAILED', 'Not logged out, try again'),
      503: refusal('Bearer: not logged out.', 'Not logged out, try again', 'LOGOUT_FAILED'),
    },
  },
  async ({ c, world, caller: { session, via }, context }) => {
    if (via === 'cookie') return logOutCookie(c, world, session);
    const settled = await logOut(world, session, { scope: 'all' }, context());
    await evicted(world);
    await clearIfOver(c);
    return answer(c, 200, { message: 'Logout successful' }, propagationHeader(c, settled));
  },
  (c, fault, family) => {
    if (presented(c).via === 'cookie') return onCookieLogoutFault(c, fault);
    if (fault !== 'failed') return family(c, fault);
    return answer(c, 503, { message: 'Not logged out, try again', code: 'LOGOUT_FAILED' }, RETRY_AFTER);
  },
);
