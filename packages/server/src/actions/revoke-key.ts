import {
  type ApiKeyRecord,
  appendKeyRevoked,
  findApiKey,
  isLastAdminKey,
  revokeApiKey,
  revokeApiKeysOf,
} from '../store/issued-keys.ts';
import { eventOf, type Revocation } from '../store/revocation.ts';
import type { Act } from '../store/act.ts';
import type { Queryable } from '../store/statement.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';
import { askForRecentLogin } from './confirm-login.ts';
import { NO_SESSIONS } from './create-key.ts';
import { Denied } from './denied.ts';
import { type Settled, settlePartly } from './settle.ts';

/**
 * Revokes an API key. When this answers, no node accepts it any more, and its feeds are closed; their verifiers get no renewal, and
 * trust themselves for one more lease at the most. Null when there is no such key. Revoking it again changes nothing.
 * @throws Denied when it is the last key with the scope `admin`, and that is not confirmed
 */
export async function revokeKey(
  world: World,
  id: number,
  caller: { actor: string; sid: string | null; confirmsLast: boolean },
  context: RequestContext,
): Promise<{ key: ApiKeyRecord; settled: Settled } | null> {
  await askForRecentLogin(world, caller.sid);
  const act = actOf(world, context, caller.actor);
  const { key, position } = await world.database.transaction(async (on) => {
    if (!caller.confirmsLast && (await isLastAdminKey(on, id, act.at))) throw new Denied('last_admin_key');
    const revoked = await revokeApiKey(on, id, act.at, act.actor);
    if (!revoked) return { key: await findApiKey(on, id), position: null };
    return { key: revoked, position: await appendKeyRevoked(on, revoked, act) };
  }, 'ending');
  if (key === null) return null;
  const ending =
    position === null ? null : { event: eventOf(act, { type: 'api_key_revoked', position }), ...NO_SESSIONS };
  // Another caller may have revoked it a moment ago, and its confirmation may be under way.
  return { key, settled: await settlePartly(world, ending, 'replicas') };
}

/** Revokes the keys of a client that is deleted; announce the events after the commit. Keys of clients have not the scope `admin`. */
export async function revokeKeysOfClient(on: Queryable, clientId: string, act: Act): Promise<Revocation[]> {
  const changes: Revocation[] = [];
  for (const key of await revokeApiKeysOf(on, clientId, act.at, act.actor)) {
    const position = await appendKeyRevoked(on, key, act);
    changes.push({ event: eventOf(act, { type: 'api_key_revoked', position }), ...NO_SESSIONS });
  }
  return changes;
}
