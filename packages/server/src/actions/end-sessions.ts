import { countLiveSessions } from '../store/live-count.ts';
import { type CutTarget, cut } from '../store/revoke.ts';
import { endNamed } from './end-named.ts';
import { type Settled, settle, type Wait } from './settle.ts';
import { actOf, type Origin, type World } from './world.ts';

/** What an administrator can end. */
export type AdminTarget = CutTarget | { scope: 'sessions'; sids: string[] };

export type AdminEnding =
  | ({ outcome: 'ended' } & Settled)
  /** Ending everyone needs the number of sessions that it ends. Nothing was ended. */
  | { outcome: 'confirmation_required'; count: number };

/** Between counting and confirming people log in and out: a twentieth may have changed, on a small site nothing. */
const DRIFT = 20;

/** Ends sessions on behalf of an administrator, a service or an operator. */
export async function endByAdministrator(
  world: World,
  target: AdminTarget,
  request: { actor: string; confirm: number | null; wait: Wait },
  origin: Origin,
): Promise<AdminEnding> {
  const { database } = world;
  const act = actOf(world, origin, request.actor);
  if (target.scope === 'everyone') {
    const count = await countLiveSessions(database, act.at);
    if (request.confirm === null || Math.abs(count - request.confirm) > Math.floor(count / DRIFT))
      return { outcome: 'confirmation_required', count };
  }
  const settled =
    target.scope === 'sessions'
      ? await endNamed(world, target.sids, null, act, 'admin_logout', request.wait)
      : await settle(world, await cut(database, target, act, 'admin_logout'), request.wait);
  return { outcome: 'ended', ...settled };
}
