import type { Reach } from '../domain/api-key.ts';
import { DEFAULT_ISSUER } from '../domain/client-terms.ts';
import type { UsersOfClient } from '../store/users.ts';
import type { World } from '../world/world.ts';
import { Denied } from './denied.ts';

/** The users that a caller reaches; null: everybody. */
export function usersWithin({ clients }: World, { clientId }: Reach): UsersOfClient | null {
  if (clientId === null) return null;
  return { clientId, issuers: clients.clients.get(clientId)?.externalIssuers ?? [] };
}

/**
 * The issuer that a caller names, or means by naming none: the only one of its client, else "default".
 * @param field where the request names it
 * @throws Denied when the caller's client may not name it
 */
export function issuerWithin(
  world: World,
  reach: Reach,
  given: string | undefined,
  field: 'issuer' | 'user.issuer',
): string {
  const within = usersWithin(world, reach);
  if (within === null) return given ?? DEFAULT_ISSUER;
  const { clientId, issuers } = within;
  const issuer = given ?? (issuers.length === 1 ? issuers[0] : undefined) ?? DEFAULT_ISSUER;
  if (issuers.includes(issuer)) return issuer;
  const known = issuers.length === 0 ? 'none' : issuers.map((one) => `"${one}"`).join(', ');
  throw new Denied('insufficient_scope', undefined, {
    field,
    detail: `Keys of the application "${clientId}" cannot name the issuer "${issuer}". The external issuers of the application: ${known}.`,
  });
}
