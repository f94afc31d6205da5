import { userActor } from '../domain/actor.ts';
import { whyNotOpened } from '../domain/client-terms.ts';
import { sourceOf } from '../domain/ip-address.ts';
import { findCredentials } from '../store/users.ts';
import { countAttempt, countFailedAttempt, type LoginAttempt, uncountAttempt } from '../store/limits.ts';
import { Overloaded } from '../system/password-hashing.ts';
import { forgive } from './forgive.ts';
import { provePassword } from './prove-password.ts';
import { type SessionTerms, type StartedSession, startSession } from './start-session.ts';
import { type RequestContext, type World } from '../world/world.ts';

export type LoginOutcome =
  | ({ outcome: 'started' } & StartedSession)
  /** Unknown, wrong, disabled or without a password: one answer, one cost. */
  | { outcome: 'invalid_credentials' }
  | { outcome: 'rate_limited'; retryAfterSeconds: number }
  /** The client is disabled, or does not allow logins with a password; the sentence says which. */
  | { outcome: 'unauthorized_client'; sentence: string };

export interface LoginInput extends Omit<SessionTerms, 'grantType'> {
  email: string;
  password: string;
}

/** Verifies e-mail address and password, and opens a session. */
export async function logIn(world: World, input: LoginInput, context: RequestContext): Promise<LoginOutcome> {
  const { database, system, config, refusals, clients } = world;
  const sentence = whyNotOpened(clients.of(input.clientId), 'password');
  if (sentence !== null) return { outcome: 'unauthorized_client', sentence };
  const attempt: LoginAttempt = { email: input.email, source: sourceOf(context.ipAddress) };
  // Refused before the database is asked: a flood of logins must not take connections from logouts.
  if (system.passwords.load().waiting >= config.hashing.queue)
    throw new Overloaded('too many logins are waiting');
  const wait = await countAttempt(database, attempt, config.loginLimits, system.now());
  const trace = { ip_address: context.ipAddress, request_id: context.requestId, contract: context.contract };
  if (wait !== null) {
    system.log.warn(trace, 'a login was refused: too many failed logins');
    refusals.note('login_limited', input.email, context, { clientId: input.clientId });
    return { outcome: 'rate_limited', retryAfterSeconds: wait };
  }

  const credentials = await findCredentials(database, input.email);
  let matches: boolean;
  try {
    matches = await provePassword(world, credentials, input.password);
  } catch (error) {
    if (error instanceof Overloaded) await uncountAttempt(database, attempt, system.now());
    throw error;
  }
  const noteFailed = (): void =>
    refusals.note('login_failed', credentials?.id ?? null, context, { clientId: input.clientId });
  if (!credentials || !matches || credentials.disabled) {
    // Never the text of the address field: people type passwords there.
    system.log.warn({ ...trace, user_id: credentials?.id ?? null }, 'a login was refused: wrong credentials');
    noteFailed();
    await countFailedAttempt(database, attempt, config.loginLimits, system.now());
    return { outcome: 'invalid_credentials' };
  }
  const started = await startSession(
    world,
    {
      userId: credentials.id,
      credentialVersion: credentials.credentialVersion,
      actor: userActor(credentials.id, null),
    },
    { ...input, grantType: 'password' },
    context,
  );
  if (!started) {
    noteFailed();
    return { outcome: 'invalid_credentials' };
  }
  await forgive(world, attempt);
  return { outcome: 'started', ...started };
}
