import { createGuard, type Admission, type GuardOptions } from './guard.ts';
import type { Session } from './verified.ts';
import type { Verifier } from './verifier.ts';

export type { GuardOptions } from './guard.ts';

/**
 * Wraps a fetch handler: it is called while the request's session is alive, and given the session.
 *
 * ```ts
 * const guard = curfew(verifier);
 * export default { fetch: guard((request, session) => Response.json({ hello: session.subject })) };
 * ```
 */
export function curfew(
  verifier: Verifier,
  options?: GuardOptions,
): <More extends unknown[]>(
  handler: (request: Request, session: Session, ...more: More) => Response | Promise<Response>,
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

/** Looks at a Request. */
export function fetchGuard(
  verifier: Verifier,
  options?: GuardOptions,
): (request: Request) => Promise<Admission> {
  const guard = createGuard(verifier, options);
  return ({ method, headers }) => {
    // Two headers come as one text with a comma and a space, which is no credential.
    const authorization = headers.get('authorization');
    return guard({
      method,
      authorization: authorization === null ? [] : [authorization],
      cookie: headers.get('cookie'),
      origin: headers.get('origin'),
      secFetchSite: headers.get('sec-fetch-site'),
      upgrades: headers.has('upgrade'),
    });
  };
}

export function refusalResponse(
  request: Request,
  { refusal }: Extract<Admission, { refusal: unknown }>,
): Response {
  const { status, headers, body } = refusal;
  return new Response(request.method === 'HEAD' ? null : body, { status, headers });
}
