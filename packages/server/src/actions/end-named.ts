import type { EndReason } from '../domain/session.ts';
import { revokeSessions, type Within } from '../store/revoke-sessions.ts';
import type { Act } from '../store/act.ts';
import { type Settled, settle, settlePartly, type WaitFor } from './settle.ts';
import type { World } from '../world/world.ts';

/**
 * Ends sessions by id, of one user or client where one is given. Ids that are unknown, over or another's are skipped without
 * distinction. The answer waits until the log was read, because one of them may have ended elsewhere a moment ago.
 */
export async function endNamed(
  world: World,
  sids: readonly string[],
  within: Within,
  act: Act,
  reason: EndReason,
  wait: WaitFor = 'replicas',
): Promise<Settled> {
  // A UUID may be upper case (RFC 9562 section 4).
  const named = [...new Set(sids.map((sid) => sid.toLowerCase()))];
  const ending = await revokeSessions(world.database, named, within, act, reason);
  return ending?.ended.length === named.length
    ? settle(world, ending, wait)
    : settlePartly(world, ending, wait);
}
