import { forgiveAttempt, type LoginAttempt } from '../store/limits.ts';
import type { World } from '../world/world.ts';

/**
 * Gives an attempt back whose password was right. The session that came of it has begun, and its credentials must reach the caller:
 * a failure here costs one attempt of the window, and is logged.
 */
export async function forgive(
  { database, system }: Pick<World, 'database' | 'system'>,
  attempt: LoginAttempt,
): Promise<void> {
  try {
    await forgiveAttempt(database, attempt, system.now());
  } catch (err) {
    system.log.warn({ err }, 'a right password could not be taken off the failed logins');
  }
}
