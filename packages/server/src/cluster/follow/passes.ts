import type { System } from '../../system/system.ts';
import { later, Soon } from '../../system/timers.ts';
import { coalesced } from '../../system/coalesced.ts';

/** The passes of a durable reader in this process. */
export interface Passes {
  /** Reads new events. Resolves when everything committed before the call has been processed. */
  catchUp(): Promise<void>;
  /** Reads new events in a moment, together with those that come until then. Nobody waits for it. */
  soon(): void;
  /** The state of its passes in this process. */
  state(): PassesState;
  close(): Promise<void>;
}

interface PassesState {
  /** Consecutive failures up to now. */
  failures: number;
  /** When a pass last succeeded; null before the first. */
  lastDone: Date | null;
}

const RETRY_MS = [250, 1000, 5000, 30_000] as const;
/** Requests come from this process; commits of a process that died before it processed them are found by polling. */
const LOOK_MS = 5000;
/** How long events are gathered: under load one pass serves many logouts. */
const GATHER_MS = 200;

/**
 * Runs passes one after another: on `catchUp`, and periodically. A failed pass is logged and repeated, at growing intervals, from
 * the reader's cursor; it holds up nobody else.
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
      if (!closed) system.log.error({ err, reader: name }, 'a reader of the log failed; will retry');
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
  // Nobody waits for these: a failure is logged where it happens, and the pass is repeated.
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
      // Gathered events are processed before the end.
      if (gathering.callOff()) await catchUp().catch(() => undefined);
      closed = true;
      callOff();
      await last.catch(() => undefined);
    },
  };
}
