import { countLiveSessions } from '../store/live-count.ts';
import { type CutTarget, cut } from '../store/revoke-scope.ts';
import { inLane } from '../store/statement.ts';
import { askForRecentLogin } from './confirm-login.ts';
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

/** Ends sessions on behalf of an administrator, a service or an operator. */
export async function endByAdministrator(
  world: World,
  target: AdminTarget,
  request: { actor: string; sid: string | null; confirm: number | null; wait: WaitFor },
  context: RequestContext,
): Promise<AdminEnding> {
  const { database } = world;
  const act = actOf(world, context, request.actor);
  if (target.scope !== 'everyone') await askForRecentLogin(world, request.sid);
  if (target.scope === 'sessions') {
    const settled = await endNamed(world, target.sids, null, act, 'admin_logout', request.wait);
    return { outcome: 'ended', ...settled };
  }
  let counted = 0;
  if (target.scope === 'everyone') {
    counted = await countLiveSessions(inLane(database, 'ending'), act.at);
    if (request.confirm === null || Math.abs(counted - request.confirm) > Math.floor(counted / DRIFT))
      return { outcome: 'confirmation_required', count: counted };
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
