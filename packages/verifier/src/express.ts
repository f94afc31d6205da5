import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGuard, type GuardOptions } from './guard.ts';
import { noteSession, readRequest } from './guarded.ts';
import type { Verifier } from './verifier.ts';

export { sessionOf } from './guarded.ts';
export type { GuardOptions } from './guard.ts';

/**
 * Returns a middleware for Express, Connect or `node:http` that lets a request pass while its session is alive, and otherwise
 * answers 401, 403 or 503 with problem details.
 * @example
 * import { createVerifier } from '@curfew/verifier';
 * import { curfew, sessionOf } from '@curfew/verifier/express';
 * import express from 'express';
 *
 * const verifier = createVerifier({
 *   authority: 'https://auth.example',
 *   serviceKey: process.env.SERVICE_KEY ?? '',
 *   audience: 'https://api.example',
 * });
 * const app = express();
 * app.get('/orders', curfew(verifier), (req, res) => {
 *   res.json({ user: sessionOf(req).subject });
 * });
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
          // Another handler has answered in the meantime.
          if (response.headersSent) return;
          const { status, headers, body } = admission.refusal;
          response.writeHead(status, headers);
          response.end(request.method === 'HEAD' ? undefined : body);
          return;
        }
        noteSession(request, admission.session);
        next();
      })
      .catch(next);
  };
}
