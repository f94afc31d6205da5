import type { AnswerLine, Line, LogoutLine } from '../lines.ts';
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
  /** Logouts, answered or not, that took longer than the lease, its margin and the time for a commit, without an excuse. */
  tooSlow: Line[][];
  /**
   * ... and how many had an excuse: the node could not reach the database, the node itself was suspended, or the node or the client waited
   * for a processor.
   */
  excused: number;
  /** Confirmed on calm days: how many replicas acknowledged, and how many were waited out. */
  calmAcknowledged: number;
  calmWaitedOut: number;
}

/** The time limit of a statement, and of a transaction that holds a lock and does nothing, is five seconds. */
const COMMIT_MS = 5000;
/** A logout counts as calm if there was no fault for so long before it. */
const CALM_BEFORE_US = 3_000_000;

export function speedOf(history: History, waitMs: number): Speed {
  const calm: number[] = [];
  const faults: number[] = [];
  const calmForClients: number[] = [];
  const faultsForClients: number[] = [];
  const speed = { tooSlow: [] as Line[][], excused: 0, calmAcknowledged: 0, calmWaitedOut: 0 };
  for (const logout of history.logouts) {
    const answer = history.answers.get(logout.id);
    if (!answer) continue;
    const clientMs = (answer.at - logout.sent) / 1000;
    // A logout that timed out or failed in the end took that long too.
    if (clientMs > waitMs + COMMIT_MS) {
      if (undisturbedMs(history, logout, answer) > waitMs + COMMIT_MS) speed.tooSlow.push([logout, answer]);
      else speed.excused++;
    }
    if (!answer.confirmed || answer.ms === null) continue;
    const isCalm = !isDisturbed(history, logout.sent - CALM_BEFORE_US, answer.at);
    (isCalm ? calm : faults).push(answer.ms);
    (isCalm ? calmForClients : faultsForClients).push(clientMs);
    if (isCalm) {
      speed.calmAcknowledged += answer.acknowledged;
      speed.calmWaitedOut += answer.waitedOut;
    }
  }
  return {
    ...speed,
    calm: timesOf(calm),
    faults: timesOf(faults),
    calmForClients: timesOf(calmForClients),
    faultsForClients: timesOf(faultsForClients),
  };
}

/**
 * The longest part of a logout's time in which the node had its database and was not suspended, minus the time that the node and the client
 * waited for a processor.
 */
function undisturbedMs(history: History, logout: LogoutLine, answer: AnswerLine): number {
  const inTheWay = [logout.node, `${logout.node}-postgres`, 'postgres'];
  const spans = history.faults
    .filter(({ on }) => on.some((name) => inTheWay.includes(name)))
    .map(({ n, at }) => ({ from: at, to: history.healed.get(n) ?? Number.POSITIVE_INFINITY }))
    .toSorted((a, b) => a.from - b.from);
  const waitedIn = (since: number, until: number): number =>
    history.waited
      .filter(({ who, from, at }) => (who === logout.node || who === 'clients') && from < until && at > since)
      .reduce((sum, { us }) => sum + us, 0);
  let longest = 0;
  let since = logout.sent;
  for (const { from, to } of [...spans, { from: answer.at, to: answer.at }]) {
    const until = Math.min(from, answer.at);
    if (until > since) longest = Math.max(longest, until - since - waitedIn(since, until));
    since = Math.max(since, to);
  }
  return longest / 1000;
}

/** Whether any fault fell into a span of time. */
function isDisturbed(history: History, from: number, to: number): boolean {
  return history.faults.some(
    ({ n, at }) => at <= to && (history.healed.get(n) ?? Number.POSITIVE_INFINITY) >= from,
  );
}

function timesOf(list: number[]): Times {
  const sorted = list.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), most: sorted.at(-1) ?? 0 };
}
