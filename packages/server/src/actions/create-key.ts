import { type KeyScope, newKeyText } from '../domain/api-key.ts';
import { hashSecret } from '../domain/credentials.ts';
import { type ApiKeyRecord, insertApiKey } from '../store/issued-keys.ts';
import { append } from '../store/log/append.ts';
import { eventOf } from '../store/revocation.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';
import { askForRecentLogin } from './confirm-login.ts';
import { type Settled, settlePartly } from './settle.ts';

/** The properties of a new key. */
export interface WantedKey {
  name: string;
  clientId: string | null;
  scopes: readonly KeyScope[];
  expiresAt: Date | null;
}

/** Why a key cannot be created, and the member at fault. */
interface KeyFault {
  field: 'name' | 'client_id' | 'scopes' | 'expires_at';
  message: string;
}

type KeyOutcome =
  | {
      outcome: 'made';
      key: ApiKeyRecord;
      /** The text of the key, which nobody can read again. */
      secret: string;
      settled: Settled;
    }
  | { outcome: 'fault'; fault: KeyFault };

/** Creates an API key. When this answers, every node accepts it. */
export async function createKey(
  world: World,
  given: WantedKey,
  caller: { actor: string; sid: string | null },
  context: RequestContext,
): Promise<KeyOutcome> {
  await askForRecentLogin(world, caller.sid);
  const { database, system } = world;
  const fault = faultOf(given, system.now());
  if (fault) return { outcome: 'fault', fault };
  const wanted = { ...given, scopes: [...new Set(given.scopes)] };
  const secret = newKeyText(wanted.clientId === null ? 'operator' : 'client', system.randomBytes);
  const act = actOf(world, context, caller.actor);
  const made = await database.transaction(async (on) => {
    const key = await insertApiKey(on, wanted, hashSecret(secret), act.at, act.actor);
    if (!key) return null;
    const details = { key_id: key.id, name: key.name, scopes: key.scopes };
    const event = { type: 'api_key_created', userId: null, clientId: key.client_id, details } as const;
    return { key, position: await append(on, event, act) };
  });
  if (!made) return { outcome: 'fault', fault: { field: 'client_id', message: UNKNOWN_CLIENT } };
  const event = eventOf(act, { type: 'api_key_created', position: made.position });
  const settled = await settlePartly(world, { event, ...NO_SESSIONS }, 'replicas');
  return { outcome: 'made', key: made.key, secret, settled };
}

const UNKNOWN_CLIENT = 'is not the name of an application';

function faultOf({ name, clientId, scopes, expiresAt }: WantedKey, now: Date): KeyFault | null {
  if (name === '') return { field: 'name', message: 'must not be empty' };
  if (clientId !== null && scopes.includes('admin'))
    return { field: 'scopes', message: '"admin" is for operators’ keys, which have no client_id' };
  if (expiresAt !== null && expiresAt <= now)
    return { field: 'expires_at', message: 'must be in the future' };
  return null;
}

/** An event about a key ends no sessions itself. */
export const NO_SESSIONS = { ended: [], count: 0, more: false };
