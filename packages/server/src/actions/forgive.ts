import { forgiveAttempt, type LoginAttempt } from '../store/limits.ts';
import type { World } from '../world/world.ts';

/**
 * Gives the attempt of a right password back. Its session has begun, and the credentials must reach the caller: a failure here
 * costs one attempt of the window, and is logged.
 */
export async function forgive(
  { database, system }: Pick<World, 'database' | 'system'>,
  attempt: LoginAttempt,
): Promise<void> {
  try {
    await forgiveAttempt(database, attempt, system.now());
  } catch (err) {
    system.log.warn({ err }, 'could not take a login with the right password off the count of failed logins');
  }
}
