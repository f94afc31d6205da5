import { fetchGuard, refusalResponse } from './fetch-guard.ts';
import type { GuardOptions } from './guard.ts';
import type { VerifiedSession } from './verified.ts';
import type { Verifier } from './verifier.ts';

export type { GuardOptions } from './guard.ts';

/**
 * Returns a function that wraps a fetch handler: the handler is called with the session while it is alive; otherwise the answer
 * is 401, 403 or 503 with problem details.
 * @example
 * import { createVerifier } from '@curfew/verifier';
 * import { curfew } from '@curfew/verifier/fetch';
 *
 * const verifier = createVerifier({
 *   authority: 'https://auth.example',
 *   serviceKey: process.env.SERVICE_KEY ?? '',
 *   audience: 'https://api.example',
 * });
 * const guard = curfew(verifier);
 * export default { fetch: guard((request, session) => Response.json({ user: session.subject })) };
 */
export function curfew(
  verifier: Verifier,
  options?: GuardOptions,
): <More extends unknown[]>(
  handler: (request: Request, session: VerifiedSession, ...more: More) => Response | Promise<Response>,
) => (request: Request, ...more: More) => Promise<Response> {
  const admit = fetchGuard(verifier, options);
  return (handler) =>
    async (request, ...more) => {
      const admission = await admit(request);
      return 'session' in admission
        ? handler(request, admission.session, ...more)
        : refusalResponse(request, admission);
    };
}
