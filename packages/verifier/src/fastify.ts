import type { IncomingMessage } from 'node:http';
import { createGuard, type GuardOptions } from './guard.ts';
import { noteSession, readRequest } from './guarded.ts';
import type { Verifier } from './verifier.ts';

export { sessionOf } from './guarded.ts';
export type { GuardOptions } from './guard.ts';

/** The members of Fastify's reply that the hook uses. */
interface HookReply {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(body: string): unknown;
}

/**
 * Returns an `onRequest` hook for Fastify that lets a request pass while its session is alive, and otherwise answers 401, 403
 * or 503 with problem details.
 * @example
 * import { createVerifier } from '@curfew/verifier';
 * import { curfew, sessionOf } from '@curfew/verifier/fastify';
 * import fastify from 'fastify';
 *
 * const verifier = createVerifier({
 *   authority: 'https://auth.example',
 *   serviceKey: process.env.SERVICE_KEY ?? '',
 *   audience: 'https://api.example',
 * });
 * const app = fastify();
 * app.get('/orders', { onRequest: curfew(verifier) }, (request) => ({ user: sessionOf(request).subject }));
 */
export function curfew(
  verifier: Verifier,
  options?: GuardOptions,
): (request: { raw: IncomingMessage }, reply: HookReply) => Promise<unknown> {
  const guard = createGuard(verifier, options);
  return async (request, reply) => {
    const admission = await guard(readRequest(request.raw));
    if ('session' in admission) return noteSession(request, admission.session);
    const { status, headers, body } = admission.refusal;
    reply.code(status);
    reply.headers({ ...headers });
    reply.send(body);
    // Without the reply returned, Fastify would run the route while an onSend hook delays the answer.
    return reply;
  };
}
