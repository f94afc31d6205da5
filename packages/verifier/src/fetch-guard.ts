import { createGuard, type Admission, type GuardOptions } from './guard.ts';
import type { Verifier } from './verifier.ts';

/** A guard of requests as `fetch` has them. */
export function fetchGuard(
  verifier: Verifier,
  options?: GuardOptions,
): (request: Request) => Promise<Admission> {
  const guard = createGuard(verifier, options);
  return ({ method, headers }) => {
    // `Headers` joins two headers with a comma and a space, which no credential contains.
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
