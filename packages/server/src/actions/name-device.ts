import { plainName } from '@curfew/protocol/reading/plain-name';
import { nameDevice } from '../store/session-lists.ts';
import type { World } from '../world/world.ts';

/** Names the device of one of the user's live sessions. @returns the stored name; null when there is no such session */
export async function nameOwnDevice(
  world: World,
  userId: number,
  sid: string,
  text: string,
): Promise<string | null> {
  const name = plainName(text);
  if (!(await nameDevice(world.database, world.system.now(), sid, userId, name))) return null;
  world.notices.changed(userId);
  return name;
}
