import type { Propagation } from '@curfew/protocol/node';
import type { Nodes } from '../cluster/nodes.ts';
import type { Database } from '../store/database.ts';
import { endEachSession, type Ending, type OneEnding } from '../store/revoke.ts';

/** More at once gain nothing, and one statement should stay short. */
const BATCH = 500;
/** Usually one statement at a time, which gathers the most. */
const AT_A_TIME = 3;
/** When it takes longer than this, it waits for a row that somebody has locked: then another goes past it. */
const PATIENCE_MS = 25;

/** Ends one session; see `createEndOne`. Null when it is unknown, over, or another's. */
export type EndOne = (one: OneEnding) => Promise<Told | null>;

/** An ending, and the confirmation that it shares with those that were committed with it. */
export interface Told {
  ending: Ending;
  confirming: Promise<Propagation>;
}

interface Waiting {
  one: OneEnding;
  resolve: (told: Told | null) => void;
  reject: (error: unknown) => void;
}

/**
 * Gathers the logouts of single sessions that arrive while others are under way, and gives them to the next statement:
 * they share its commit. A lone logout waits for nobody, and nobody waits long for one that is held up.
 */
export function createEndOne(database: Database, nodes: Pick<Nodes, 'committed' | 'confirm'>): EndOne {
  let waiting: Waiting[] = [];
  let running = 0;
  let past: NodeJS.Timeout | undefined;

  async function run(): Promise<void> {
    running++;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH);
      waiting = waiting.slice(BATCH);
      await endTogether(database, nodes, batch);
    }
    running--;
  }

  return (one) =>
    new Promise((resolve, reject) => {
      waiting.push({ one, resolve, reject });
      if (running === 0) void run();
      else
        past ??= setTimeout(() => {
          past = undefined;
          if (waiting.length > 0 && running < AT_A_TIME) void run();
        }, PATIENCE_MS);
    });
}

/** Never throws: whoever asked is told. */
async function endTogether(
  database: Database,
  nodes: Pick<Nodes, 'committed' | 'confirm'>,
  batch: Waiting[],
): Promise<void> {
  try {
    const endings = await endEachSession(
      database,
      batch.map(({ one }) => one),
    );
    const events = endings.flatMap((ending) => (ending ? [ending.event] : []));
    // One message to every replica, and one wait for all of them.
    nodes.committed(...events);
    const confirming = events.length > 0 ? nodes.confirm() : null;
    batch.forEach(({ resolve }, i) => {
      const ending = endings[i];
      resolve(ending && confirming ? { ending, confirming } : null);
    });
  } catch (error) {
    // A locked row of one must not be the failure of all: the statement did nothing, so each may try by itself.
    if (batch.length > 1 && isLockTrouble(error))
      await Promise.all(batch.map((one) => endTogether(database, nodes, [one])));
    else for (const { reject } of batch) reject(error);
  }
}

/** Deadlock, lock not available, statement timeout. */
function isLockTrouble(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && ['40P01', '55P03', '57014'].includes(String(error.code))
  );
}
