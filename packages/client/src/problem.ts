import type { LoggedOut } from './interface.ts';

/** A problem as the authority words it (RFC 9457), as far as the client looks into it. */
interface Body {
  code?: string;
  title?: string;
  detail?: string;
  field?: string;
  ended?: Pick<LoggedOut, 'reason' | 'by' | 'at'>;
}

/** The authority has answered, and the answer is no. What did not get there is the TypeError that `fetch` throws. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  declare readonly status: number;
  /** One word to switch over: `invalid_credentials`, `rate_limited`, … */
  declare readonly code: string;
  /** The input at fault. */
  declare readonly field: string | null;
  /** Seconds after which to try again. */
  declare readonly retryAfter: number | null;
  /** Where the credential was one, and its session is over: why. */
  declare readonly ended: Body['ended'] | null;

  constructor(response: Response, body: Body) {
    super(body.detail ?? body.title ?? `HTTP ${response.status}`);
    this.status = response.status;
    this.code = body.code ?? 'unknown';
    this.field = body.field ?? null;
    this.retryAfter = Number(response.headers.get('retry-after')) || null;
    this.ended = body.ended ?? null;
  }
}

/** Reads what an answer says is wrong. The answer stays readable. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const isProblem = response.headers.get('content-type')?.includes('problem+json');
  // What is no JSON after all says nothing: something else than the authority has answered.
  const body: Body = isProblem
    ? await response
        .clone()
        .json()
        .catch(() => ({}))
    : {};
  return new ProblemError(response, body);
}

/** What an answer brings. @throws ProblemError when it says no */
export async function contentOf<T>(response: Response): Promise<T> {
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}

/** Whether an answer refuses the credential. The authority says 401 to a wrong password as well, and must not be asked twice. */
export async function refusesCredential(response: Response): Promise<boolean> {
  return response.status === 401 && /^(unknown|not_authenticated)$/.test((await problemOf(response)).code);
}
