import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGuard, type GuardOptions } from './guard.ts';
import { admit, readRequest } from './guarded.ts';
import type { Verifier } from './verifier.ts';

export { sessionOf } from './guarded.ts';
export type { GuardOptions } from './guard.ts';

/**
 * Lets a request pass while its session is alive. For Express, Connect and plain `node:http`.
 *
 * ```ts
 * app.get('/orders', curfew(verifier), (req, res) => res.json(ordersOf(sessionOf(req).subject)));
 * ```
 */
export function curfew(
  verifier: Verifier,
  options?: GuardOptions,
): (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void {
  const guard = createGuard(verifier, options);
  return (request, response, next) => {
    guard(readRequest(request))
      .then((admission) => {
        if ('refusal' in admission) {
          // Somebody else has answered while the guard asked.
          if (response.headersSent) return;
          const { status, headers, body } = admission.refusal;
          response.writeHead(status, headers);
          response.end(request.method === 'HEAD' ? undefined : body);
          return;
        }
        admit(request, admission.session);
        next();
      })
      .catch(next);
  };
}
