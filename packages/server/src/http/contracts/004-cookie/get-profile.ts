import { SESSION_USED } from '../../../domain/caller-rule.ts';
import { serveRow } from '../../contract/serve-row.ts';
import { INTERNAL, onEnvelopeFault, UNAVAILABLE } from '../001-envelope/envelope.ts';
import { answerProfile, PROFILE } from '../001-envelope/get-profile.ts';
import { NO_SESSION } from './detail.ts';

export const getProfile = serveRow(
  {
    method: 'get',
    path: '/auth/profile',
    answersOnly: { via: 'cookie' },
    operationId: 'cookieGetProfile',
    tags: ['Contract 004: cookie'],
    summary: 'The user',
    caller: SESSION_USED,
    responses: { 200: PROFILE, 401: NO_SESSION, 500: INTERNAL, 503: UNAVAILABLE },
  },
  answerProfile,
  (c, fault, family) => (fault === 'not_authenticated' ? family(c, fault) : onEnvelopeFault(c, fault)),
);
