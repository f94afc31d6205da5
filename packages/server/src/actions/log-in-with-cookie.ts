import { userActor } from '../domain/actor.ts';
import type { RequestFacts } from '../domain/caller-rule.ts';
import { isFromForeignPage } from './admit.ts';
import { authenticate } from './authenticate.ts';
import { endNamed } from './end-named.ts';
import { type LoginInput, type LoginOutcome, logIn } from './log-in.ts';
import { actOf, type RequestContext, type World } from '../world/world.ts';

/**
 * Logs in with a cookie. A request from another site's page is refused: it would log the visitor in to the attacker's account
 * (login CSRF). The browser's earlier session is ended, never continued.
 */
export async function logInWithCookie(
  world: World,
  facts: RequestFacts,
  input: LoginInput,
  context: RequestContext,
): Promise<LoginOutcome | { outcome: 'foreign_page' }> {
  if (isFromForeignPage(world, facts)) {
    world.refusals.note('csrf_refused', null, context, { code: 'csrf_failed' });
    world.system.log.warn(
      { ip_address: context.ipAddress, request_id: context.requestId },
      'a login from another website was blocked',
    );
    return { outcome: 'foreign_page' };
  }
  const started = await logIn(world, input, context);
  if (started.outcome === 'started') await endEarlier(world, facts, context);
  return started;
}

async function endEarlier(world: World, { from }: RequestFacts, context: RequestContext): Promise<void> {
  if (from.via !== 'cookie' || !from.credential) return;
  const earlier = await authenticate(world, from.credential, false);
  if (!earlier) return;
  const act = actOf(world, context, userActor(earlier.userId, earlier.sid));
  await endNamed(world, [earlier.sid], { userId: earlier.userId }, act, 'replaced_by_login');
}
