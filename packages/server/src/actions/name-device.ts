import { plainName } from '@curfew/protocol/reading/plain-name';
import { nameDevice } from '../store/session-lists.ts';
import { clientWithin, type LiveSession } from '../domain/session.ts';
import type { World } from '../world/world.ts';

/** Names the device of one of the user's live sessions. @returns the stored name; null when there is no such session */
export async function nameOwnDevice(
  world: World,
  session: LiveSession,
  sid: string,
  text: string,
): Promise<string | null> {
  const { userId } = session;
  const name = plainName(text);
  const within = { userId, clientId: clientWithin(session) };
  if (!(await nameDevice(world.database, world.system.now(), sid, within, name))) return null;
  world.notices.changed(userId);
  return name;
}
