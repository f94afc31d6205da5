/** A refresh token's row as it stands, with whether its session is alive. */
export interface RefreshRecord {
  sessionAlive: boolean;
  expiresAt: Date;
  spentAt: Date | null;
  successorNonce: Buffer | null;
}

export type RotationVerdict =
  /** Not ours, run out, or of a session that is over: one answer for all. */
  | { verdict: 'refuse' }
  /** Spent a moment ago by another tab, or by a request whose answer was lost: the same successor again. */
  | { verdict: 'again'; nonce: Buffer; spentAt: Date }
  /** Spent long ago. Whether thief or owner, one of the two must go: the session ends (RFC 9700 section 4.14.2). */
  | { verdict: 'replay' }
  /** Not spent: the attempt to spend it lost a race that it may win now. */
  | { verdict: 'retry' };

/** Judges a refresh token whose rotation did not go through. */
export function judgeRefresh(record: RefreshRecord | null, now: Date, graceSeconds: number): RotationVerdict {
  if (!record || !record.sessionAlive || record.expiresAt <= now) return { verdict: 'refuse' };
  if (!record.spentAt || !record.successorNonce) return { verdict: 'retry' };
  const age = now.getTime() - record.spentAt.getTime();
  if (age <= graceSeconds * 1000)
    return { verdict: 'again', nonce: record.successorNonce, spentAt: record.spentAt };
  return { verdict: 'replay' };
}
