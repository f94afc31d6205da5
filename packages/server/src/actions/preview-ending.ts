import type { LogoutPreview } from '@curfew/protocol/wire/logout';
import { countLiveSessions } from '../store/live-count.ts';
import { countSessions, pageOfSessions, type SessionFilter } from '../store/session-lists.ts';
import type { AdminTarget } from './end-sessions.ts';
import { viewOf } from './list-sessions.ts';
import type { World } from '../world/world.ts';

const SAMPLE = 10;

/**
 * Counts the sessions that an ending would end.
 * @param within restricts it to the sessions of a user or client. What was begun through a client's logins ends with them, and is
 *   counted, but of another client's session the caller sees nothing else.
 */
export async function previewEnding(
  world: World,
  target: AdminTarget,
  within: Pick<SessionFilter, 'userId' | 'clientId'> = {},
): Promise<LogoutPreview> {
  const { database, system } = world;
  const now = system.now();
  const filter: SessionFilter = { ...filterOf(target), ...within };
  const rows = await pageOfSessions(database, now, { ...filter, alive: true }, SAMPLE);
  const { endedWithClient = null, tenant = null } = filter;
  const count =
    target.scope === 'everyone' || target.scope === 'client' || target.scope === 'tenant'
      ? await countLiveSessions(database, now, { clientId: endedWithClient, tenant })
      : await countSessions(database, now, endedWithClient === null ? filter : { ...filter, clientId: null });
  return { dry_run: true, count, sample: rows.map((row) => viewOf(world, row)) };
}

function filterOf(target: AdminTarget): SessionFilter {
  switch (target.scope) {
    case 'sessions':
      return { sids: target.sids };
    case 'user':
      return { userId: target.userId };
    case 'others':
      return { userId: target.userId, except: target.exceptSession };
    case 'users':
      return { userIds: target.userIds };
    case 'device':
      return { userId: target.userId, deviceId: target.deviceId };
    case 'client':
      return { endedWithClient: target.clientId };
    case 'grant':
      return {
        userId: target.userId,
        endedWithClient: target.clientId,
        except: target.exceptSession ?? null,
      };
    case 'login':
      return { login: target.login };
    case 'tenant':
      return { tenant: target.tenant };
    case 'everyone':
      return {};
  }
}
