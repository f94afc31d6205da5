import { factsOfClaims } from '@curfew/protocol/access-token';
import type { Remembered } from '../cluster/memory/session-memory.ts';
import type { LiveSession } from '../domain/session.ts';
import type { Credential } from '../domain/credentials.ts';
import { findSession, findSessionOfToken } from '../store/live-session.ts';
import { audienceOf } from '../domain/audience.ts';
import type { World } from '../world/world.ts';

/**
 * Returns the live session of a credential, or null: from memory while this node is fresh, from the database otherwise. A
 * database that does not answer throws, and never means yes.
 * @param use whether this counts as activity; asking for the session itself does not
 */
export async function authenticate(
  world: World,
  credential: Credential,
  use: boolean,
): Promise<LiveSession | null> {
  return (await authenticateRemembered(world, credential, use))?.session ?? null;
}

/**
 * Returns it with the memory's record, in which a checker can store a prepared answer.
 * @param audience the required audience, if any
 */
export async function authenticateRemembered(
  world: World,
  credential: Credential,
  use: boolean,
  audience?: string,
): Promise<Remembered | null> {
  const { memory, system, clients } = world;
  const isFor = ({ session }: { session: LiveSession }): boolean =>
    audience === undefined || audienceOf(clients, session) === audience;
  // A refused request does not count as use of the session.
  const known = audience === undefined ? undefined : memory.recall(credential.text, false);
  if (known && !isFor(known)) return null;
  const recalled = memory.recall(credential.text, use);
  if (recalled) return recalled;
  if (memory.over(credential.text)) return null;
  const mark = memory.mark;
  const askedAtMs = system.monotonicMs();
  const found = await ask(world, credential);
  if (found === 'over') memory.bury(credential.text, askedAtMs);
  if (found === null || found === 'over' || !isFor(found)) return null;
  if (use) memory.use(found.session.sid);
  return memory.remember(credential.text, found.session, found.expiresAtMs, mark, askedAtMs);
}

/** `over`: a credential of Curfew that is dead for good. */
async function ask(
  world: World,
  credential: Credential,
): Promise<{ session: LiveSession; expiresAtMs: number } | 'over' | null> {
  const { database, system, keys, clients } = world;
  if (credential.kind === 'jwt') {
    const claims = await keys.verify(credential.text);
    if (claims === 'expired') return 'over';
    if (claims === null) return null;
    const session = await findSession(database, system.now(), claims.sid);
    if (session === 'unknown') {
      // Rows outlive tokens. A missing one was lost with its database, which nobody has noticed yet: the epoch is unchanged.
      if (claims.epoch === world.nodes.node.epoch) world.nodes.foundBack();
      return null;
    }
    if (session === null || session === 'over') return session;
    const isForIt = (): boolean => audienceOf(clients, session) === claims.aud;
    // Another node may have changed the application a moment ago.
    if (!isForIt()) await clients.load();
    // The signature proves that Curfew wrote the claims; the row must agree with them, and the audience be the application's.
    const agrees =
      session.subject === claims.sub &&
      session.born === factsOfClaims(claims).born &&
      session.clientId === claims.client_id &&
      isForIt();
    return agrees ? { session, expiresAtMs: claims.exp * 1000 } : null;
  }
  const found = await findSessionOfToken(database, system.now(), credential);
  if (found === null || found === 'over') return found;
  return { session: found.session, expiresAtMs: found.expiresAt.getTime() };
}
