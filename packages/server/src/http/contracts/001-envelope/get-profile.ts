import { userFacts, findUser } from '../../../store/users.ts';
import { readThrough } from '../../../cache/profiles.ts';
import { SESSION_USED } from '../../../domain/caller-rule.ts';
import { json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import * as shape from '../../contract/shapes.ts';
import { userBody } from '../../respond.ts';
import { answer, done, envelope, INTERNAL, notAuthenticatedAnswer, UNAVAILABLE } from './envelope.ts';

export const getProfile = serveRow(
  {
    method: 'get',
    path: '/auth/profile',
    operationId: 'getProfile',
    tags: ['Contract 001: envelope', 'Contract 004: cookie'],
    summary: 'The user',
    caller: SESSION_USED,
    responses: {
      200: json('The user.', envelope(shape.user), done('Profile retrieved', shape.USER)),
      401: notAuthenticatedAnswer,
      500: INTERNAL,
      503: UNAVAILABLE,
    },
  },
  async ({ c, world, family, caller: { session } }) => {
    const { copies, database } = world;
    const load = async () => {
      const user = await findUser(database, session.userId);
      return user ? userBody(userFacts(user)) : null;
    };
    const user = await readThrough(copies, 'user', session, load);
    const data = await readThrough(copies, 'user_profile', session, async () => user);
    return data
      ? answer(c, 200, { message: 'Profile retrieved', data })
      : family.onFault(c, 'not_authenticated');
  },
);
