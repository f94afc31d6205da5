import type { IncomingMessage } from 'node:http';
import type { GuardedRequest } from './guard.ts';
import type { VerifiedSession } from './verified.ts';

/** Reads a request of node:http, which Express and Fastify build on. */
export function readRequest(request: IncomingMessage): GuardedRequest {
  const { headers, rawHeaders, method = 'GET' } = request;
  // `headers` holds only the first of two Authorization headers.
  const authorization: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.toLowerCase() === 'authorization') authorization.push(rawHeaders[i + 1] ?? '');
  const site = headers['sec-fetch-site'];
  return {
    method,
    authorization,
    cookie: headers.cookie,
    origin: headers.origin,
    secFetchSite: Array.isArray(site) ? site.join() : site,
    upgrades: headers.upgrade !== undefined,
  };
}

const sessions = new WeakMap<object, VerifiedSession>();

/** Stores the session of a request; for programs without types also as `request.session`, unless that name is taken. */
export function noteSession(request: object, session: VerifiedSession): void {
  sessions.set(request, session);
  if (!('session' in request))
    Object.defineProperty(request, 'session', { value: session, enumerable: true });
}

/**
 * Returns the session of a request that a guard let through.
 * @throws Error when no guard is in front of this route
 * @example
 * import type { IncomingMessage } from 'node:http';
 * import { sessionOf } from '@curfew/verifier/express';
 *
 * export const userOf = (request: IncomingMessage): string => sessionOf(request).subject;
 */
export function sessionOf(request: object): VerifiedSession {
  const session = sessions.get(request);
  if (!session)
    throw new Error(
      'this request did not pass a guard of @curfew/verifier: put curfew(verifier) before the route',
    );
  return session;
}
