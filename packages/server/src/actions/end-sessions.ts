import { type Reach, reaches } from '../domain/api-key.ts';
import { countLiveSessions } from '../store/live-count.ts';
import type { Act } from '../store/act.ts';
import type { Revocation } from '../store/revocation.ts';
import { type CutTarget, cut, OlderNode } from '../store/revoke-scope.ts';
import { findLogin } from '../store/live-session.ts';
import { inLane } from '../store/statement.ts';
import { isTenant } from '../store/tenants.ts';
import { askForRecentLogin } from './confirm-login.ts';
import { Denied } from './denied.ts';
import { endNamed } from './end-named.ts';
import { type Settled, settle, type WaitFor } from './settle.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';

/** What an administrator can end. */
export type AdminTarget = CutTarget | { scope: 'sessions'; sids: string[] };

type AdminEnding =
  | ({ outcome: 'ended' } & Settled)
  /** Ending everyone, or a tenant, requires the number of sessions to end. Nothing was ended. */
  | { outcome: 'confirmation_required'; count: number }
  /** There is no such login or tenant. */
  | { outcome: 'unknown' }
  /** A node of an older version would not follow the ending. Nothing was ended. */
  | { outcome: 'older_node' };

/** People log in and out between count and confirmation: a twentieth may differ; on a small site, nothing. */
const DRIFT = 20;

/** Whether the number that a caller confirmed is about the number counted. */
export const confirms = (counted: number, confirmed: number | null): boolean =>
  confirmed !== null && Math.abs(counted - confirmed) <= Math.floor(counted / DRIFT);

/**
 * Holds an ending to the caller's reach. A client's key ends named sessions, of which other clients' are skipped, or those of its
 * client, of one user or of all. The other targets reach sessions of several clients.
 * @throws Denied
 */
export function keepToClient(target: AdminTarget, reach: Reach): void {
  const isOwn = target.scope === 'sessions' || ('clientId' in target && reaches(reach, target.clientId));
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
  const isLarge = target.scope === 'everyone' || target.scope === 'tenant';
  if (!isLarge) await askForRecentLogin(world, request.sid);
  if (target.scope === 'sessions') {
    const settled = await endNamed(world, target.sids, { clientId }, act, 'admin_logout', request.wait);
    return { outcome: 'ended', ...settled };
  }
  const known = await findTarget(world, target);
  if (known === null) return { outcome: 'unknown' };
  let counted = 0;
  if (isLarge) {
    const of = target.scope === 'tenant' ? { tenant: target.tenant } : {};
    counted = await countLiveSessions(inLane(database, 'ending'), act.at, of);
    if (!confirms(counted, request.confirm)) return { outcome: 'confirmation_required', count: counted };
    await askForRecentLogin(world, request.sid);
  }
  if (target.scope === 'client') counted = await countOfClient(world, target.clientId, act.at);
  const ending = await cutForAllNodes(world, known, act);
  if (ending === null) return { outcome: 'older_node' };
  // Beyond the rows that the cut itself looks at, the number is the one counted just before. Of a tenant it looks at none.
  const more = ending.more || (target.scope === 'tenant' && counted > 0);
  const count = more ? Math.max(ending.count, counted) : ending.count;
  return { outcome: 'ended', ...(await settle(world, { ...ending, count, more }, request.wait)) };
}

/** Null for a mistyped name, which must not look like an ending. A login that was renewed goes by the `sid` that it began with. */
async function findTarget({ database }: World, target: CutTarget): Promise<CutTarget | null> {
  const on = inLane(database, 'ending');
  if (target.scope === 'login') {
    const login = await findLogin(on, target.login);
    return login === null ? null : { scope: 'login', login };
  }
  return target.scope !== 'tenant' || (await isTenant(on, target.tenant)) ? target : null;
}

/** Null when an older node would not follow it. */
async function cutForAllNodes({ database }: World, target: CutTarget, act: Act): Promise<Revocation | null> {
  try {
    return await cut(database, target, act, 'admin_logout');
  } catch (error) {
    if (error instanceof OlderNode) return null;
    throw error;
  }
}

/** A failed count does not stop a logout: the answer then holds a lower bound. */
async function countOfClient({ database, system }: World, clientId: string, now: Date): Promise<number> {
  try {
    return await countLiveSessions(inLane(database, 'ending'), now, { clientId });
  } catch (err) {
    system.log.warn({ err, client_id: clientId }, 'could not count the sessions of an application');
    return 0;
  }
}
