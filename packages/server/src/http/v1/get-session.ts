import { z } from '@hono/zod-openapi';
import { SESSION_LOOKED_AT } from '../../domain/caller-rule.ts';
import { shownIdleExpiry } from '../../domain/session.ts';
import { csrfToken } from '../../domain/credentials.ts';
import { presented } from '../callers.ts';
import { json, problems, sayingWhy } from '../contract/row.ts';
import { serveRow } from '../contract/serve-row.ts';
import * as shape from '../contract/shapes.ts';
import { sessionBody, userBody } from '../respond.ts';
import { refuseSayingWhy } from './faults.ts';

export const getSession = serveRow(
  {
    method: 'get',
    path: '/v1/session',
    operationId: 'getSession',
    tags: ['Sessions'],
    summary: 'Get this session',
    description: 'The call does not count as activity.',
    caller: SESSION_LOOKED_AT,
    responses: {
      200: json(
        'The session and its user. With the cookie, also the CSRF token.',
        z.object({ session: shape.session, user: shape.user, csrf_token: z.string().optional() }),
        { session: shape.SESSION_EXAMPLE, user: shape.USER },
      ),
      ...sayingWhy(problems('not_authenticated', 'unavailable')),
    },
  },
  ({ c, caller: { session, via, credential } }) =>
    c.json({
      session: { ...sessionBody(session), idle_expires_at: shownIdleExpiry(session).toISOString() },
      user: userBody(session.user),
      ...(via === 'cookie' ? { csrf_token: csrfToken(credential.text) } : {}),
    }),
  (c, fault, family) => {
    if (fault !== 'not_authenticated') return family(c, fault);
    const from = presented(c);
    return refuseSayingWhy(c, from.via === 'none' ? null : from.credential);
  },
);
