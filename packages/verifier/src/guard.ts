import { problem, type ProblemCode } from '@curfew/protocol/errors';
import { credentialKind } from '@curfew/protocol/reading/credential-kind';
import { readPresented } from '@curfew/protocol/reading/read-presented';
import { isTrustedOrigin } from '@curfew/protocol/reading/trusted-origin';
import type { OnStale } from './options.ts';
import type { Reason, VerifiedSession } from './verified.ts';
import type { Verifier } from './verifier.ts';

/** The options of a guard. */
export interface GuardOptions {
  /** The role that the user must have: others are answered 403. Default: any. */
  role?: string;
  /** What this route does while the verifier is stale. Default: the verifier's `onStale`. */
  onStale?: OnStale;
  /** The name of the session cookie, or false to accept none. Default: the name that the authority says. */
  cookie?: string | false;
  /**
   * Other origins whose pages may send the cookie with a request that changes something or opens a WebSocket. Pages of this
   * origin may in browsers that send `Sec-Fetch-Site` (all since 2023, over https). Default: none.
   */
  trustedOrigins?: readonly string[];
}

/** The parts of a request that a guard reads, independent of the framework. */
export interface GuardedRequest {
  method: string;
  /** All Authorization headers. */
  authorization: readonly string[];
  cookie: string | null | undefined;
  origin: string | null | undefined;
  secFetchSite: string | null | undefined;
  /** True when it asks for another protocol: any page can send the GET that opens a WebSocket. */
  upgrades: boolean;
}

/** The response to a request that is refused. */
interface GuardAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

export type Admission = { session: VerifiedSession } | { refusal: GuardAnswer };

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

const PARSERS = {
  header: (text: string) => (credentialKind(text) === 'cookie' ? null : text),
  cookie: (text: string) => (credentialKind(text) === 'cookie' ? text : null),
};

/** Returns the function that all guards share: it returns the session of a request, or its refusal. */
export function createGuard(
  verifier: Verifier,
  options: GuardOptions = {},
): (request: GuardedRequest) => Promise<Admission> {
  const trustedOrigins = new Set(options.trustedOrigins);
  const check = options.onStale === undefined ? {} : { onStale: options.onStale };
  return async (request) => {
    const [authorization, second] = request.authorization;
    // Of two headers none is read.
    const header = second === undefined ? authorization : '';
    const cookieName = options.cookie === false ? null : (options.cookie ?? verifier.cookieName);
    const presented = readPresented(header, request.cookie, cookieName, PARSERS);
    if (presented.via === 'none') return { refusal: refusalOf('no_credential') };
    if (presented.credential === null) return { refusal: refusalOf('not_canonical') };
    const changes = request.upgrades || !SAFE.has(request.method.toUpperCase());
    if (presented.via === 'cookie' && changes && !isTrustedOrigin(request, trustedOrigins))
      return { refusal: FOREIGN_PAGE };
    const verified = await verifier.verify(presented.credential, check);
    if (!verified.ok) return { refusal: refusalOf(verified.reason) };
    const { session } = verified;
    return options.role === undefined || session.role === options.role
      ? { session }
      : { refusal: OTHER_ROLE };
  };
}

function makeRefusal(code: ProblemCode, detail: string, headers: Record<string, string>): GuardAnswer {
  const body = problem(code, { detail });
  return {
    status: body.status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

const FOREIGN_PAGE = makeRefusal(
  'csrf_failed',
  'Blocked: a request with the session cookie must come from this origin or a trusted one.',
  {},
);
const OTHER_ROLE = makeRefusal(
  'forbidden',
  'This account does not have the role that this request needs.',
  {},
);
const NO_CREDENTIAL = makeRefusal('not_authenticated', 'The request has no credential. Log in.', {
  'www-authenticate': 'Bearer',
});
/** The same for all bad credentials: an attacker must not learn that one of them was valid once (RFC 6750 section 3.1). */
const BAD_CREDENTIAL = makeRefusal(
  'not_authenticated',
  'The credential is invalid, or its session has ended. Log in again.',
  {
    'www-authenticate': 'Bearer error="invalid_token"',
  },
);
const CANNOT_TELL = makeRefusal('unavailable', 'Session status is unavailable. Try again.', {
  'retry-after': '1',
});

function refusalOf(reason: Reason): GuardAnswer {
  if (reason === 'stale' || reason === 'unavailable') return CANNOT_TELL;
  return reason === 'no_credential' ? NO_CREDENTIAL : BAD_CREDENTIAL;
}
