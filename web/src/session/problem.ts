/** The server's code for an error; 'unreachable' without an answer. */
export interface ApiFault {
  code: string;
  /** Seconds until it may be tried again. */
  retryAfter: number | null;
}

/** An answer of the API that says no. */
class ApiError extends Error {
  override name = 'Refused';
  readonly code: string;
  readonly retryAfter: number | null;
  constructor({ code, retryAfter }: ApiFault) {
    super(code);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Converts the client's errors. */
export function apiFaultOf(error: unknown): ApiFault {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    const retryAfter =
      'retryAfter' in error && typeof error.retryAfter === 'number' ? error.retryAfter : null;
    return { code: error.code, retryAfter };
  }
  // fetch throws a TypeError when there is no answer.
  return { code: error instanceof TypeError ? 'unreachable' : 'unknown', retryAfter: null };
}

/** Throws the problem of a refusal; other answers pass. */
export async function throwRefusal(response: Response): Promise<void> {
  if (response.ok) return;
  let code = 'unknown';
  try {
    code = String(((await response.json()) as { code?: string }).code ?? code);
  } catch {
    // Not from the authority: a proxy has answered, without a code.
  }
  throw new ApiError({ code, retryAfter: Number(response.headers.get('retry-after')) || null });
}
