import type { LoggedOut } from './interface.ts';

/** The members of a problem body (RFC 9457) that the client reads. */
interface ProblemBody {
  code?: string;
  title?: string;
  detail?: string;
  field?: string;
  ended?: Pick<LoggedOut, 'reason' | 'by' | 'at'>;
}

/**
 * The authority refused a request. A request that did not reach it rejects with the `TypeError` of `fetch` instead.
 * @example
 * import { createClient, ProblemError } from '@curfew/client';
 *
 * try {
 *   await createClient().login({ email: 'test@example.com', password: 'wrong' });
 * } catch (error) {
 *   if (error instanceof ProblemError && error.code === 'rate_limited') console.log(`wait ${error.retryAfter} s`);
 * }
 */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  /** The HTTP status. */
  declare readonly status: number;
  /** The code to switch over: `invalid_credentials`, `rate_limited`, … */
  declare readonly code: string;
  /** The input at fault, or null. */
  declare readonly field: string | null;
  /** Seconds to wait before the next try, or null. */
  declare readonly retryAfter: number | null;
  /** How the session of the credential ended, or null where the credential is not genuine. */
  declare readonly ended: ProblemBody['ended'] | null;

  constructor(response: Response, body: ProblemBody) {
    super(body.detail ?? body.title ?? `HTTP ${response.status}`);
    this.status = response.status;
    this.code = body.code ?? 'unknown';
    this.field = body.field ?? null;
    this.retryAfter = Number(response.headers.get('retry-after')) || null;
    this.ended = body.ended ?? null;
  }
}

/** Reads the problem in a response, whose body stays readable. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const isProblem = response.headers.get('content-type')?.includes('problem+json');
  // Without JSON it is not the authority that answered.
  const body: ProblemBody = isProblem
    ? await response
        .clone()
        .json()
        .catch(() => ({}))
    : {};
  return new ProblemError(response, body);
}

/** @throws ProblemError when the response is not a success */
export async function contentOf<T>(response: Response): Promise<T> {
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}

/** Whether a response refuses the credential. A wrong password is 401 too, and must not be sent twice. */
export async function refusesCredential(response: Response): Promise<boolean> {
  return response.status === 401 && /^(unknown|not_authenticated)$/.test((await problemOf(response)).code);
}
