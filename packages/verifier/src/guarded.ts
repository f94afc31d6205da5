import type { IncomingMessage } from 'node:http';
import type { GuardedRequest } from './guard.ts';
import type { Session } from './verified.ts';

/*
 * Requests of node:http, which Express and Fastify build on.
 */

/** What a guard needs of it. */
export function readRequest(request: IncomingMessage): GuardedRequest {
  const { headers, rawHeaders, method = 'GET' } = request;
  // Of two Authorization headers `headers` shows only the first.
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

const sessions = new WeakMap<object, Session>();

/** Notes whose request it is, also as `session` for programs without types, where nothing else has that name. */
export function admit(request: object, session: Session): void {
  sessions.set(request, session);
  if (!('session' in request))
    Object.defineProperty(request, 'session', { value: session, enumerable: true });
}

/**
 * The session of a request that a guard let through.
 * @throws Error when no guard stands before this route
 */
export function sessionOf(request: object): Session {
  const session = sessions.get(request);
  if (!session)
    throw new Error(
      'no guard of @curfew/verifier let this request through: put curfew(verifier) before the route',
    );
  return session;
}
