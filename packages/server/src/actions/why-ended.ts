import type { SessionEnd } from '@curfew/protocol/notices';
import { endOf } from '../domain/session-end.ts';
import { type Credential, lineageOf } from '../domain/credentials.ts';
import { findReasonOfSecret, findSidOfSecret, readEnds } from '../store/ended-sessions.ts';
import type { World } from '../world/world.ts';

/**
 * Returns how the session of a refused credential ended: only for a genuine credential of an ended session. A secret without a
 * session, and a token that nothing can be said of (its signing key or session was purged), are answered as unknown.
 */
export async function whyEnded(world: World, credential: Credential): Promise<SessionEnd | null> {
  return (await howEnded(world, credential))?.ended ?? null;
}

/** The end of a session. */
export interface EndedSession {
  sid: string;
  ended: SessionEnd;
  /** How long the session could have been idle. */
  idleSeconds: number;
}

/** Whether a credential's session ended because its browser was given another one. True where that cannot be looked up. */
export async function wasReplaced({ database, system }: World, credential: Credential): Promise<boolean> {
  if (credential.kind === 'jwt') return false;
  try {
    const reason = await findReasonOfSecret(database, credential);
    return reason === 'replaced_by_login' || reason === 'renewed';
  } catch (err) {
    system.log.warn({ err }, 'could not look up how a session ended');
    return true;
  }
}

/** Returns the end together with the session. */
export async function howEnded(world: World, credential: Credential): Promise<EndedSession | null> {
  const { database, system, keys } = world;
  try {
    const sid =
      credential.kind === 'jwt'
        ? ((await keys.verifyPast(credential.text))?.sid ?? null)
        : await findSidOfSecret(database, credential, firstHashOf(credential));
    if (sid === null) return null;
    const [facts] = await readEnds(database, [sid]);
    const ended = facts ? endOf(facts, system.now()) : null;
    return facts && ended ? { sid, ended, idleSeconds: facts.idleSeconds } : null;
  } catch (err) {
    // The refusal stands; only its reason is missing.
    system.log.warn({ err }, 'could not look up why a session ended');
    return null;
  }
}

/** A refresh token that was spent long ago has no row; its session's first one has. */
const firstHashOf = ({ kind, text }: Credential): Buffer | null =>
  kind === 'refresh' ? (lineageOf(text)?.firstHash() ?? null) : null;
