/** What went wrong, by the server's own word for it; 'unreachable' when there was no answer at all. */
export interface ApiFault {
  code: string;
  /** Seconds after which it may be tried again. */
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

/** Sorts what the client throws. */
export function problemOf(error: unknown): ApiFault {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    const retryAfter =
      'retryAfter' in error && typeof error.retryAfter === 'number' ? error.retryAfter : null;
    return { code: error.code, retryAfter };
  }
  // fetch itself fails with a TypeError when there is no answer.
  return { code: error instanceof TypeError ? 'unreachable' : 'unknown', retryAfter: null };
}

/** Throws what a refusal says; an answer that is none passes. */
export async function throwRefusal(response: Response): Promise<void> {
  if (response.ok) return;
  let code = 'unknown';
  try {
    code = String(((await response.json()) as { code?: string }).code ?? code);
  } catch {
    // Not from the authority: something between has answered, and has no code for us.
  }
  throw new ApiError({ code, retryAfter: Number(response.headers.get('retry-after')) || null });
}
