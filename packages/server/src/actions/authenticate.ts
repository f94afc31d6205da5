import type { Remembered } from '../cluster/memory/session-memory.ts';
import type { LiveSession } from '../domain/session.ts';
import type { Credential } from '../domain/tokens.ts';
import { findSession, findSessionOfToken } from '../store/sessions.ts';
import { audienceOf } from '../domain/audience.ts';
import type { World } from '../world/world.ts';

/**
 * The live session that a credential opens, or null. From memory while this node is fresh, from the database
 * otherwise; a database that does not answer is a fault that is thrown, never a yes.
 * @param use whether this counts as activity; asking how a session stands does not
 */
export async function authenticate(
  world: World,
  credential: Credential,
  use: boolean,
): Promise<LiveSession | null> {
  return (await authenticateRemembered(world, credential, use))?.session ?? null;
}

/**
 * The same, with the memory's own record, on which a checker can keep a prepared answer.
 * @param audience whom the credential must be for, where somebody asked for that
 */
export async function authenticateRemembered(
  world: World,
  credential: Credential,
  use: boolean,
  audience?: string,
): Promise<Remembered | null> {
  const { memory, system, config } = world;
  const isFor = ({ session }: { session: LiveSession }): boolean =>
    audience === undefined || audienceOf(config, session) === audience;
  // To be refused is no use of the session.
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

/** `over`: it was ours, and nothing can bring it back. */
async function ask(
  world: World,
  credential: Credential,
): Promise<{ session: LiveSession; expiresAtMs: number } | 'over' | null> {
  const { database, system, keys, config } = world;
  if (credential.kind === 'jwt') {
    const claims = await keys.verify(credential.text);
    if (claims === 'expired') return 'over';
    if (claims === null) return null;
    const session = await findSession(database, system.now(), claims.sid);
    if (session === 'unknown') {
      // Rows outlive tokens. One that is missing was lost with its database, and nobody has noticed yet: the epoch is the same.
      if (claims.epoch === world.nodes.node.epoch) world.nodes.foundBack();
      return null;
    }
    if (session === null || session === 'over') return session;
    // The signature says that we wrote this; the row must still agree with it, and the audience be its application's.
    const agrees =
      String(session.userId) === claims.sub &&
      session.born === claims.born &&
      session.clientId === claims.client_id &&
      audienceOf(config, session) === claims.aud;
    return agrees ? { session, expiresAtMs: claims.exp * 1000 } : null;
  }
  const found = await findSessionOfToken(database, system.now(), credential);
  if (found === null || found === 'over') return found;
  return { session: found.session, expiresAtMs: found.expiresAt.getTime() };
}
