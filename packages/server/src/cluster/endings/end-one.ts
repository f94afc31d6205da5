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
 */
export function createEndOne(
  database: Database,
  /** See afterCommit. */
  confirm: (endings: readonly Revocation[]) => Promise<Propagation>,
  timers: Timers,
): EndOne {
  let waiting: WaitingRevocation[] = [];
  let running = 0;
  let past: (() => void) | undefined;
  const held: WaitingRevocation[] = [];
  let runningHeld = 0;

  async function run(): Promise<void> {
    running++;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH);
      waiting = waiting.slice(BATCH);
      held.push(...(await endTogether(batch, 'leave')));
      // One turn of the event loop: answers go out, and requests that arrived join the next statement.
      if (waiting.length > 0) await new Promise<void>((next) => setImmediate(next));
      while (runningHeld < HELD_AT_A_TIME && held.length > 0) void runHeld();
    }
    running--;
  }

  async function runHeld(): Promise<void> {
    runningHeld++;
    for (let one = held.shift(); one; one = held.shift()) await endTogether([one], 'wait');
    runningHeld--;
  }

  /** Never throws: callers get the error. @returns the ones whose rows are locked, which are not answered yet */
  async function endTogether(
    batch: WaitingRevocation[],
    locked: 'wait' | 'leave',
  ): Promise<WaitingRevocation[]> {
    try {
      const endings = await revokeEachSession(
        database,
        batch.map(({ one }) => one),
        locked,
      );
      const committed = endings.filter((ending) => ending !== null && ending !== 'held');
      // One message to every replica, and one wait for all of them.
      const confirming = committed.length > 0 ? confirm(committed) : null;
      return batch.filter(({ resolve }, i) => {
        const ending = endings[i];
        if (ending === 'held') return true;
        resolve(ending && confirming ? { ending, confirming } : null);
        return false;
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return [];
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
