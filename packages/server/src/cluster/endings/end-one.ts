import type { Propagation } from '@curfew/protocol/node';
import type { Database } from '../../store/database.ts';
import type { Revocation } from '../../store/revocation.ts';
import { revokeEachSession, type SessionToRevoke } from '../../store/revoke-sessions.ts';
import type { Timers } from '../../system/timers.ts';

/** A larger batch gains nothing, and a statement should stay short. */
const BATCH = 500;
/** Usually one statement runs at a time, which gathers the most. */
const AT_A_TIME = 3;
/** A statement that takes longer has a problem with its connection: then another one overtakes it. */
const PATIENCE_MS = 25;
/** Logouts that arrive while a confirmation is under way wait for it at most this long, where they gather. */
const GATHER_MS = 10;
/** After a statement with more than one logout, the next one waits so long for more, where they gather. */
const COME_AGAIN_MS = 1;
/** Logouts that wait for a locked row, each by itself. */
const HELD_AT_A_TIME = 3;

/** Ends one session; see `createEndOne`. Null when it is unknown, over, or another user's. */
export type EndOne = (one: SessionToRevoke) => Promise<PendingConfirmation | null>;

/** An ending, and the confirmation that it shares with the others of its commit. */
export interface PendingConfirmation {
  ending: Revocation;
  confirming: Promise<Propagation>;
}

interface WaitingRevocation {
  one: SessionToRevoke;
  resolve: (pending: PendingConfirmation | null) => void;
  reject: (error: unknown) => void;
}

/**
 * Gathers logouts of single sessions while others are under way, and gives them to the next statement and its commit. A lone
 * logout does not wait. One whose row is locked waits apart, and holds up none but its like.
 * @param gathers whether so many replicas acknowledge each commit that the next one should be large: then it also gathers what
 *   arrives while the last commit is being confirmed
 */
export function createEndOne(
  database: Database,
  /** See afterCommit. */
  confirm: (endings: readonly Revocation[]) => Promise<Propagation>,
  timers: Timers,
  gathers: () => boolean,
): EndOne {
  let waiting: WaitingRevocation[] = [];
  let running = 0;
  /** Logouts in the last statement. */
  let last = 0;
  let past: (() => void) | undefined;
  const held: WaitingRevocation[] = [];
  let runningHeld = 0;

  async function run(): Promise<void> {
    running++;
    while (waiting.length > 0) {
      // Clients that were answered together come again together.
      if (last > 1 && gathers()) await new Promise<void>((next) => void timers.after(COME_AGAIN_MS, next));
      const batch = waiting.slice(0, BATCH);
      // Another run has taken them meanwhile.
      if (batch.length === 0) break;
      last = batch.length;
      waiting = waiting.slice(BATCH);
      const committed = await endTogether(batch, 'leave');
      while (runningHeld < HELD_AT_A_TIME && held.length > 0) void runHeld();
      if (committed && gathers()) await atMost(timers, GATHER_MS, committed.confirming);
      // One turn of the event loop: answers go out, and requests that arrived join the next statement.
      if (waiting.length > 0) await new Promise<void>((next) => setImmediate(next));
    }
    running--;
  }

  async function runHeld(): Promise<void> {
    runningHeld++;
    for (let one = held.shift(); one; one = held.shift()) await endTogether([one], 'wait');
    runningHeld--;
  }

  /** Never throws: callers get the error. Those whose rows are locked become `held`. @returns null when nothing was committed */
  async function endTogether(
    batch: WaitingRevocation[],
    locked: 'wait' | 'leave',
  ): Promise<Pick<PendingConfirmation, 'confirming'> | null> {
    try {
      const asked = batch.map(({ one }) => one);
      const endings = await revokeEachSession(database, asked, locked);
      const committed = endings.filter((ending) => ending !== null && ending !== 'held');
      // One message to every replica, and one wait for all of them.
      const confirming = committed.length > 0 ? confirm(committed) : null;
      held.push(...answer(batch, endings, confirming));
      return confirming && { confirming };
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return null;
    }
  }

  return (one) =>
    new Promise((resolve, reject) => {
      waiting.push({ one, resolve, reject });
      if (running === 0) void run();
      else
        past ??= timers.after(PATIENCE_MS, () => {
          past = undefined;
          if (waiting.length > 0 && running < AT_A_TIME) void run();
        });
    });
}

/** @returns the ones whose rows are locked, which are not answered yet */
function answer(
  batch: readonly WaitingRevocation[],
  endings: Awaited<ReturnType<typeof revokeEachSession>>,
  confirming: Promise<Propagation> | null,
): WaitingRevocation[] {
  return batch.filter(({ resolve }, i) => {
    const ending = endings[i];
    if (ending === 'held') return true;
    resolve(ending && confirming ? { ending, confirming } : null);
    return false;
  });
}

/** Waits for work, however it ends, but not longer than that. */
const atMost = (timers: Timers, ms: number, work: Promise<unknown>): Promise<void> =>
  new Promise((resolve) => {
    const callOff = timers.after(ms, resolve);
    const over = (): void => {
      callOff();
      resolve();
    };
    work.then(over, over);
  });
