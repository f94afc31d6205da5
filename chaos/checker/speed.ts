import type { Line } from '../lines.ts';
import type { History } from './history.ts';

/** How long confirmed logouts took, in milliseconds. */
export interface Times {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  most: number;
}

export interface Speed {
  /** By the server's own account: from the request to its answer. */
  calm: Times;
  faults: Times;
  /** By the clients' account. */
  calmForClients: Times;
  faultsForClients: Times;
  /** Of those that took longer than the lease, its margin and what a commit may take: those that nothing excuses. */
  tooSlow: Line[][];
  /** ... and how many there were that a fault excuses: the database was away from the node, or the node itself stood still. */
  excused: number;
  /** Confirmed on calm days: how many replicas acknowledged, and how many were waited out. */
  calmAcknowledged: number;
  calmWaitedOut: number;
}

/** A statement is given up after five seconds. */
const COMMIT_MS = 5000;
/** So long before a logout everything has to have been well for it to count as calm. */
const CALM_BEFORE_US = 3_000_000;
/** What a fault leaves behind: pools that reconnect, statements that have to run into their limit. */
const AFTERMATH_US = 8_000_000;

export function speedOf(history: History, waitMs: number): Speed {
  const calm: number[] = [];
  const faults: number[] = [];
  const calmForClients: number[] = [];
  const faultsForClients: number[] = [];
  const speed = { tooSlow: [] as Line[][], excused: 0, calmAcknowledged: 0, calmWaitedOut: 0 };
  for (const logout of history.logouts) {
    const answer = history.answers.get(logout.id);
    if (!answer?.confirmed || answer.ms === null) continue;
    const clientMs = (answer.at - logout.sent) / 1000;
    const isCalm = !overlaps(history, logout.sent - CALM_BEFORE_US, answer.at, 0, () => true);
    (isCalm ? calm : faults).push(answer.ms);
    (isCalm ? calmForClients : faultsForClients).push(clientMs);
    if (isCalm) {
      speed.calmAcknowledged += answer.acknowledged;
      speed.calmWaitedOut += answer.waitedOut;
    }
    if (answer.ms <= waitMs + COMMIT_MS) continue;
    const inTheWay = (names: readonly string[]): boolean =>
      names.some((name) => name === 'postgres' || name === logout.node || name === `${logout.node}-postgres`);
    if (overlaps(history, logout.sent, answer.at, AFTERMATH_US, inTheWay)) speed.excused++;
    else speed.tooSlow.push([logout, answer]);
  }
  return {
    ...speed,
    calm: timesOf(calm),
    faults: timesOf(faults),
    calmForClients: timesOf(calmForClients),
    faultsForClients: timesOf(faultsForClients),
  };
}

/** Whether a fault of that kind fell into a span of time. */
function overlaps(
  history: History,
  from: number,
  to: number,
  after: number,
  counts: (on: readonly string[]) => boolean,
): boolean {
  return history.faults.some(
    ({ n, at, on }) =>
      counts(on) && at <= to && (history.healed.get(n) ?? Number.POSITIVE_INFINITY) + after >= from,
  );
}

function timesOf(list: number[]): Times {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), most: sorted.at(-1) ?? 0 };
}
