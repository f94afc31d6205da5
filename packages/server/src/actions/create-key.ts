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

/** Why a key cannot be created, and the member at fault; null if it can. */
export function faultOfKey(
  { clients, system }: World,
  { name, clientId, scopes, expiresAt }: WantedKey,
): { field: 'name' | 'client_id' | 'scopes' | 'expires_at'; message: string } | null {
  if (name === '') return { field: 'name', message: 'must not be empty' };
  if (clientId !== null && !clients.clients.has(clientId))
    return { field: 'client_id', message: 'is not the name of an application' };
  if (clientId !== null && scopes.includes('admin'))
    return { field: 'scopes', message: '"admin" is for operators’ keys, which have no client_id' };
  if (expiresAt !== null && expiresAt <= system.now())
    return { field: 'expires_at', message: 'must be in the future' };
  return null;
}

interface CreatedKey {
  key: ApiKeyRecord;
  /** The text of the key, which nobody can read again. */
  secret: string;
  settled: Settled;
}

/** Creates an API key without a fault. When this answers, every node accepts it. */
export async function createKey(
  world: World,
  given: WantedKey,
  caller: { actor: string; sid: string | null },
  context: RequestContext,
): Promise<CreatedKey> {
  await askForRecentLogin(world, caller.sid);
  const { database, system } = world;
  const wanted = { ...given, scopes: [...new Set(given.scopes)] };
  const secret = newKeyText(wanted.clientId === null ? 'operator' : 'client', system.randomBytes);
  const act = actOf(world, context, caller.actor);
  const { key, position } = await database.transaction(async (on) => {
    const made = await insertApiKey(on, wanted, hashSecret(secret), act.at, act.actor);
    const details = { key_id: made.id, name: made.name, client_id: made.client_id, scopes: made.scopes };
    return { key: made, position: await append(on, { type: 'api_key_created', userId: null, details }, act) };
  });
  const event = eventOf(act, { type: 'api_key_created', position });
  return { key, secret, settled: await settlePartly(world, { event, ...NO_SESSIONS }, 'replicas') };
}

/** An event about a key ends no sessions itself. */
export const NO_SESSIONS = { ended: [], count: 0, more: false };
