import type { IncomingMessage } from 'node:http';
import { createGuard, type GuardOptions } from './guard.ts';
import { admit, readRequest } from './guarded.ts';
import type { Verifier } from './verifier.ts';

export { sessionOf } from './guarded.ts';
export type { GuardOptions } from './guard.ts';

/** As much of Fastify's reply as is needed. */
interface Reply {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
}

/**
 * A hook that lets a request pass while its session is alive.
 *
 * ```ts
 * app.get('/orders', { onRequest: curfew(verifier) }, (request) => ordersOf(sessionOf(request).subject));
 * ```
 */
export function curfew(
  verifier: Verifier,
  options?: GuardOptions,
): (request: { raw: IncomingMessage }, reply: Reply) => Promise<unknown> {
  const guard = createGuard(verifier, options);
  return async (request, reply) => {
    const admission = await guard(readRequest(request.raw));
    if ('session' in admission) return admit(request, admission.session);
    const { status, headers, body } = admission.refusal;
    reply.code(status);
    reply.headers({ ...headers });
    reply.send(body);
    // Only so does Fastify go no further while an onSend hook holds the answer up: the route would run.
    return reply;
  };
}
