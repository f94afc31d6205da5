import { fetchGuard, refusalResponse } from './fetch.ts';
import type { GuardOptions } from './guard.ts';
import type { Session } from './verified.ts';
import type { Verifier } from './verifier.ts';

export type { GuardOptions } from './guard.ts';

/** What the guard puts into Hono's context: `new Hono<{ Variables: SessionVariables }>()`. */
export interface SessionVariables {
  session: Session;
}

/** As much of Hono's context as is needed. */
interface Context {
  req: { raw: Request };
  set(name: 'session', session: Session): void;
}

/**
 * A middleware that lets a request pass while its session is alive.
 *
 * ```ts
 * app.get('/orders', curfew(verifier), (c) => c.json(ordersOf(c.get('session').subject)));
 * ```
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
