import { hash } from 'node:crypto';

/** A refresh token's row, and whether its session is alive. */
export interface RefreshRecord {
  sessionAlive: boolean;
  expiresAt: Date;
  /** Its row was deleted: it was spent long before the grace. */
  purged?: boolean;
  spentAt: Date | null;
  successorNonce: Buffer | null;
  /** Null where an earlier version spent it. */
  spentBy: Buffer | null;
}

type RotationVerdict =
  /** Unknown, expired, or of an ended session: one answer for all. */
  | { verdict: 'refuse' }
  /** Spent a moment ago, by another tab or by a request whose answer was lost: the same successor is given again. */
  | { verdict: 'again'; nonce: Buffer; spentAt: Date }
  /** Spent a moment ago, from another address with another user agent: refused, and nothing ends. */
  | { verdict: 'stranger' }
  /** Spent before the grace. One of the two callers is a thief: the session ends (RFC 9700 section 4.14.2). */
  | { verdict: 'replay' }
  /** Not spent: the attempt lost a race that it may win now. */
  | { verdict: 'retry' };

/** Judges a refresh token that could not be rotated. */
export function judgeRefresh(
  record: RefreshRecord | null,
  now: Date,
  graceSeconds: number,
  by: Buffer | null = null,
): RotationVerdict {
  if (!record || !record.sessionAlive || record.expiresAt <= now) return { verdict: 'refuse' };
  if (record.purged) return { verdict: 'replay' };
  if (!record.spentAt || !record.successorNonce) return { verdict: 'retry' };
  const age = now.getTime() - record.spentAt.getTime();
  if (age <= graceSeconds * 1000 && isStranger(record.spentBy, by)) return { verdict: 'stranger' };
  if (age <= graceSeconds * 1000)
    return { verdict: 'again', nonce: record.successorNonce, spentAt: record.spentAt };
  return { verdict: 'replay' };
}

const HALF = 8;

/** A hash of the caller of a refresh, so that two callers can be compared and none be read. */
export function spender(source: string, userAgent: string): Buffer {
  const part = (text: string): Buffer =>
    text === '' ? Buffer.alloc(HALF) : hash('sha256', text, 'buffer').subarray(0, HALF);
  return Buffer.concat([part(source), part(userAgent)]);
}

/**
 * Both must differ: a device that roams keeps its user agent, and an updated browser keeps its address. An unknown value does not
 * differ.
 */
function isStranger(spentBy: Buffer | null, by: Buffer | null): boolean {
  if (!spentBy || !by) return false;
  return [0, HALF].every((from) => {
    const [before, now] = [spentBy, by].map((one) => one.subarray(from, from + HALF));
    return before?.some(Boolean) && now?.some(Boolean) && !before.equals(now);
  });
}
