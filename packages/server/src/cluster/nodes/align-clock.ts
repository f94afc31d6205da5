import type { Database } from '../../store/database.ts';
import { readClock } from '../../store/node-registry.ts';
import type { System } from '../../system/system.ts';

/** Sets this process's clock by the database's, before anything is dated. */
export async function alignClock(database: Database, system: System): Promise<void> {
  const askedMs = system.monotonicMs();
  clockSetter(database, system)(await readClock(database), askedMs);
}

/** A slower answer says too little about when the database's clock was read. */
const QUICK_MS = 500;
/** Beyond this the machine's clock needs attention. */
const FAR_OFF_MS = 5000;

/** Keeps this process's clock in step with the database's, so that all nodes date alike. */
export function clockSetter(
  database: Pick<Database, 'sole'>,
  system: System,
): (now: Date, askedMs: number) => void {
  let warned = false;
  return (now, askedMs) => {
    const nowMs = system.monotonicMs();
    // The embedded database has the same clock.
    if (database.sole || nowMs - askedMs > QUICK_MS) return;
    system.setNow(now.getTime(), askedMs, nowMs);
    const offMs = system.wallMs() - now.getTime();
    if (Math.abs(offMs) > FAR_OFF_MS && !warned)
      system.log.warn(
        { seconds: Math.round(offMs / 1000) },
        "this machine's clock differs from the database's clock, which Curfew uses",
      );
    warned = Math.abs(offMs) > FAR_OFF_MS;
  };
}
