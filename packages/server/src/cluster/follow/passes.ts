import type { System } from '../../system/system.ts';
import { later, Soon } from '../../system/timers.ts';
import { coalesced } from '../../system/coalesced.ts';

/** The passes of a durable reader in this process. */
export interface Passes {
  /** Reads what is new now. Resolves when everything committed before the call has been dealt with. */
  catchUp(): Promise<void>;
  /** Reads what is new in a moment, together with whatever else comes in until then. Nobody waits for it. */
  soon(): void;
  /** How its passes go in this process. */
  state(): PassesState;
  close(): Promise<void>;
}

interface PassesState {
  /** Passes that failed one after another up to now. */
  failures: number;
  /** When a pass was last through; null before that. */
  lastDone: Date | null;
}

const RETRY_MS = [250, 1000, 5000, 30_000] as const;
/** Rings come from this process; what others committed and did not live to deal with is found by looking. */
const LOOK_MS = 5000;
/** How long news are gathered: under load one pass serves many logouts. */
const GATHER_MS = 200;

/**
 * Runs one pass after another: on `catchUp`, and from time to time. A pass that fails is logged and tried again, later
 * and later, from where the reader stood; it holds up nobody else.
 */
export function startPasses(system: System, name: string, pass: () => Promise<void>): Passes {
  let failures = 0;
  let lastDone: Date | null = null;
  let callOff = (): void => undefined;
  let closed = false;
  let last: Promise<void> = Promise.resolve();

  const run = coalesced(async () => {
    callOff();
    if (closed) return;
    try {
      await pass();
      failures = 0;
      lastDone = system.now();
    } catch (err) {
      if (!closed) system.log.error({ err, reader: name }, 'a reader of the log failed; it will try again');
      failures++;
      throw err;
    } finally {
      const waitMs = failures === 0 ? LOOK_MS : RETRY_MS[Math.min(failures, RETRY_MS.length) - 1];
      if (!closed) callOff = later(system, waitMs as number, passUnwatched);
    }
  });
  const catchUp = (): Promise<void> => {
    last = run();
    return last;
  };
  // Of those below, nobody waits for the outcome: a failure is logged where it happens, and the pass comes again.
  const passUnwatched = (): void => {
    catchUp().catch(() => undefined);
  };
  passUnwatched();
  const gathering = new Soon(system, passUnwatched);
  return {
    catchUp,
    soon: () => gathering.in(GATHER_MS),
    state: () => ({ failures, lastDone }),
    async close() {
      // What has been gathered is dealt with before the end.
      if (gathering.callOff()) await catchUp().catch(() => undefined);
      closed = true;
      callOff();
      await last.catch(() => undefined);
    },
  };
}
