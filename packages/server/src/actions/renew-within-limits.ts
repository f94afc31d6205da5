import { sourceOf } from '../domain/ip-address.ts';
import type { RefusalType } from '../domain/refusal-types.ts';
import type { LiveSession } from '../domain/session.ts';
import { countAttempt, countFailedAttempt } from '../store/limits.ts';
import { forgive } from './forgive.ts';
import type { StartedSession } from './start-session.ts';
import type { RequestContext, World } from '../world/world.ts';

export type Renewal =
  | ({ outcome: 'started' } & StartedSession)
  | { outcome: 'wrong_password' | 'ended' }
  | { outcome: 'rate_limited'; retryAfterSeconds: number };

/** Runs work that verifies a password again, within the limits of logins: somebody at an unlocked screen may guess there. */
export async function renewWithinLimits(
  { database, config, system, refusals }: World,
  session: LiveSession,
  context: RequestContext,
  prove: () => Promise<StartedSession | 'wrong_password' | 'ended'>,
): Promise<Renewal> {
  const attempt = { email: session.user.email, source: sourceOf(context.ipAddress) };
  const wait = await countAttempt(database, attempt, config.loginLimits, system.now());
  const note = (type: RefusalType): void =>
    refusals.note(type, session.userId, context, { clientId: session.clientId });
  if (wait !== null) {
    note('login_limited');
    return { outcome: 'rate_limited', retryAfterSeconds: wait };
  }
  const outcome = await prove();
  if (outcome === 'wrong_password') {
    note('reauthentication_failed');
    await countFailedAttempt(database, attempt, config.loginLimits, system.now());
    return { outcome };
  }
  await forgive({ database, system }, attempt);
  return outcome === 'ended' ? { outcome } : { outcome: 'started', ...outcome };
}
