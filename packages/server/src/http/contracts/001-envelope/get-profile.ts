import { userFacts, findUser } from '../../../store/users.ts';
import { readThrough } from '../../../cache/profiles.ts';
import { HEADER_USED } from '../../../domain/caller-rule.ts';
import type { SessionCaller } from '../../../actions/admit.ts';
import type { World } from '../../../world/world.ts';
import type { Family } from '../../contract/family.ts';
import { json } from '../../contract/row.ts';
import { serveRow } from '../../contract/serve-row.ts';
import * as shape from '../../contract/shapes.ts';
import type { Call } from '../../environment.ts';
import { userBody } from '../../respond.ts';
import { answer, done, envelope, INTERNAL, notAuthenticatedAnswer, UNAVAILABLE } from './envelope.ts';

export const PROFILE = json('The user.', envelope(shape.user), done('Profile retrieved', shape.USER));

interface ProfileCall {
  c: Call;
  world: World;
  family: Family;
  caller: SessionCaller;
}

export async function answerProfile({
  c,
  world,
  family,
  caller: { session },
}: ProfileCall): Promise<Response> {
  const { copies, database } = world;
  const load = async () => {
    const user = await findUser(database, session.userId);
    return user ? userBody(userFacts(user.id, user)) : null;
  };
  const user = await readThrough(copies, 'user', session, load);
  const data = await readThrough(copies, 'user_profile', session, async () => user);
  return data
    ? answer(c, 200, { message: 'Profile retrieved', data })
    : family.onFault(c, 'not_authenticated');
}

export const getProfile = serveRow(
  {
    method: 'get',
    path: '/auth/profile',
    operationId: 'getProfile',
    tags: ['Contract 001: envelope'],
    summary: 'The user',
    caller: HEADER_USED,
    responses: { 200: PROFILE, 401: notAuthenticatedAnswer, 500: INTERNAL, 503: UNAVAILABLE },
  },
  answerProfile,
);
