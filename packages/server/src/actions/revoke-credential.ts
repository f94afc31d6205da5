import { userActor } from '../domain/actor.ts';
import { type Credential, lineageOf, parseBearer, parseOpaque } from '../domain/credentials.ts';
import type { LiveSession } from '../domain/session.ts';
import { findRefreshToken } from '../store/rotate.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';
import { authenticate } from './authenticate.ts';
import { endThis } from './log-out.ts';
import { type Settled, settlePartly } from './settle.ts';

/**
 * RFC 7009: ends the session of a credential of any kind. One that is over counts as none ended, and is answered as late as any: a
 * node may still hold it for alive.
 * @param by the client whose sessions alone may end, and the actor for the log; null: the user presents the credential, and is the actor
 */
export async function revokeCredential(
  world: World,
  text: string,
  by: { clientId: string | null; actor: string | null },
  context: RequestContext,
): Promise<Settled | 'of another client' | 'no credential'> {
  const credential = parseBearer(text) ?? parseOpaque('cookie', text) ?? parseOpaque('refresh', text);
  if (credential === null) return 'no credential';
  const session = await sessionOf(world, credential);
  if (session === null) return settlePartly(world, null, 'replicas');
  if (by.clientId !== null && session.clientId !== by.clientId) return 'of another client';
  const actor = by.actor ?? userActor(session.userId, session.sid);
  return endThis(world, session, actOf(world, context, actor), 'replicas');
}

/** Of a spent refresh token too: its holder may have lost the answer that held the successor. */
async function sessionOf(world: World, credential: Credential): Promise<LiveSession | null> {
  if (credential.kind !== 'refresh') return authenticate(world, credential, false);
  const { database, system } = world;
  const lineage = lineageOf(credential.text);
  return (await findRefreshToken(database, system.now(), credential.hash, lineage))?.session ?? null;
}
