import { type Reach, reaches } from '../domain/api-key.ts';
import { countLiveSessions } from '../store/live-count.ts';
import { type CutTarget, cut } from '../store/revoke-scope.ts';
import { inLane } from '../store/statement.ts';
import { askForRecentLogin } from './confirm-login.ts';
import { Denied } from './denied.ts';
import { endNamed } from './end-named.ts';
import { type Settled, settle, type WaitFor } from './settle.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';

/** What an administrator can end. */
export type AdminTarget = CutTarget | { scope: 'sessions'; sids: string[] };

type AdminEnding =
  | ({ outcome: 'ended' } & Settled)
  /** Ending everyone requires the number of sessions to end. Nothing was ended. */
  | { outcome: 'confirmation_required'; count: number };

/** People log in and out between count and confirmation: a twentieth may differ; on a small site, nothing. */
const DRIFT = 20;

/** Whether the number that a caller confirmed is about the number counted. */
export const confirms = (counted: number, confirmed: number | null): boolean =>
  confirmed !== null && Math.abs(counted - confirmed) <= Math.floor(counted / DRIFT);

/**
 * Holds an ending to the caller's reach. A client's key ends named sessions, of which other clients' are skipped, or all of its
 * client's. The other targets reach sessions of several clients.
 * @throws Denied
 */
export function keepToClient(target: AdminTarget, reach: Reach): void {
  const isOwn = target.scope === 'sessions' || (target.scope === 'client' && reaches(reach, target.clientId));
  if (reach.clientId !== null && !isOwn) throw new Denied('insufficient_scope');
}

/** Ends sessions on behalf of an administrator, a service or an operator. @throws Denied beyond the caller's reach */
export async function endByAdministrator(
  world: World,
  target: AdminTarget,
  request: { actor: string; reach: Reach; sid: string | null; confirm: number | null; wait: WaitFor },
  context: RequestContext,
): Promise<AdminEnding> {
  const { database } = world;
  const { clientId } = request.reach;
  keepToClient(target, request.reach);
  const act = actOf(world, context, request.actor);
  if (target.scope !== 'everyone') await askForRecentLogin(world, request.sid);
  if (target.scope === 'sessions') {
    const settled = await endNamed(world, target.sids, { clientId }, act, 'admin_logout', request.wait);
    return { outcome: 'ended', ...settled };
  }
  let counted = 0;
  if (target.scope === 'everyone') {
    counted = await countLiveSessions(inLane(database, 'ending'), act.at);
    if (!confirms(counted, request.confirm)) return { outcome: 'confirmation_required', count: counted };
    await askForRecentLogin(world, request.sid);
  }
  if (target.scope === 'client') counted = await countOfClient(world, target.clientId, act.at);
  const ending = await cut(database, target, act, 'admin_logout');
  // Beyond the rows that the cut itself looks at, the number is the one counted just before.
  const count = ending.more ? Math.max(ending.count, counted) : ending.count;
  return { outcome: 'ended', ...(await settle(world, { ...ending, count }, request.wait)) };
}

/** A failed count does not stop a logout: the answer then holds a lower bound. */
async function countOfClient({ database, system }: World, clientId: string, now: Date): Promise<number> {
  try {
    return await countLiveSessions(inLane(database, 'ending'), now, clientId);
  } catch (err) {
    system.log.warn({ err, client_id: clientId }, 'could not count the sessions of an application');
    return 0;
  }
}
