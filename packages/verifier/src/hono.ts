import { fetchGuard, refusalResponse } from './fetch-guard.ts';
import type { GuardOptions } from './guard.ts';
import type { VerifiedSession } from './verified.ts';
import type { Verifier } from './verifier.ts';

export type { GuardOptions } from './guard.ts';

/** The variables that the guard sets in Hono's context. */
export interface SessionVariables {
  /** The session of the request. */
  session: VerifiedSession;
}

/** The members of Hono's context that the guard uses. */
interface Context {
  req: { raw: Request };
  set(name: 'session', session: VerifiedSession): void;
}

/**
 * Returns a middleware for Hono that lets a request pass while its session is alive, and otherwise answers 401, 403 or 503 with
 * problem details.
 * @example
 * import { createVerifier } from '@curfew/verifier';
 * import { curfew, type SessionVariables } from '@curfew/verifier/hono';
 * import { Hono } from 'hono';
 *
 * const verifier = createVerifier({
 *   authority: 'https://auth.example',
 *   serviceKey: process.env.SERVICE_KEY ?? '',
 *   audience: 'https://api.example',
 * });
 * const app = new Hono<{ Variables: SessionVariables }>();
 * app.get('/orders', curfew(verifier), (c) => c.json({ user: c.get('session').subject }));
 */
export function curfew(
  verifier: Verifier,
  options?: GuardOptions,
): (c: Context, next: () => Promise<void>) => Promise<Response | void> {
  const guard = fetchGuard(verifier, options);
  return async (c, next) => {
    const admission = await guard(c.req.raw);
    if ('refusal' in admission) return refusalResponse(c.req.raw, admission);
    c.set('session', admission.session);
    return next();
  };
}
