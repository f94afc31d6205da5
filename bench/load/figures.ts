/** What one stretch of load showed. */
export interface LoadFigures {
  perSecond: number;
  p50: number;
  p99: number;
  answered: number;
  /** Answers outside 2xx by status, and `broken` for connections that ended in the middle of one. */
  errors: Record<string, number>;
}

export function countError(errors: Record<string, number>, status: number): void {
  const name = status === 0 ? 'broken' : String(status);
  errors[name] = (errors[name] ?? 0) + 1;
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
