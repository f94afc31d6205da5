import { admit, type CallerOf, type Denial, type SessionCaller } from '../actions/admit.ts';
import { type CallerRule, SESSION_LOOKED_AT } from '../domain/caller-rule.ts';
import { requestFactsOf, contextOf, presented } from './callers.ts';
import type { Call } from './environment.ts';
import { deleteDeadCookie } from './session-cookie.ts';

/** The caller that a rule admits. The answer deletes a cookie that was found dead. */
export async function admitCall<R extends CallerRule>(
  c: Call,
  rule: R,
  contract: string,
): Promise<CallerOf<R> | Denial> {
  const facts = requestFactsOf(c);
  const caller = await admit(c.get('world'), rule, facts, () => contextOf(c, contract));
  if (caller.kind === 'refused' && caller.deadCookie) await deleteDeadCookie(c, facts.from);
  return caller;
}

/** By the cookie only: browsers request pages without Authorization. */
export async function cookieCaller(c: Call): Promise<SessionCaller | null> {
  if (presented(c).via !== 'cookie') return null;
  const caller = await admitCall(c, SESSION_LOOKED_AT, 'cookie');
  return caller.kind === 'session' ? caller : null;
}
