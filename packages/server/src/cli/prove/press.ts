import { setTimeout as sleep } from 'node:timers/promises';
import type { Held } from './logins.ts';
import type { Surface } from './surfaces.ts';

/** What one surface did while a credential was logged out. */
export interface Pressed {
  surface: string;
  /** Checks that began at or after the logout's answer. */
  checks: number;
  /** Of those, the ones that were accepted: none, or the promise is broken. */
  late: number;
  /** Of those, the ones that were refused because the surface could not say: safe, and no proof of anything. */
  unsure: number;
  /** Milliseconds from the logout's answer to the end of the last check that was accepted; negative: before it. */
  lastAcceptMs: number | null;
}

/** Checks that are under way at once, at each surface, from the answer on. */
const AT_ONCE = 4;
/** Before it there is one at a time, and a pause after each: the logout itself is not to be held up by its proof. */
const PAUSE_MS = 5;

/** A surface under checks of one credential: gently until the answer is there, then as hard as it goes. */
interface Pressing {
  answered(atMs: number): void;
  stop(): Promise<Pressed>;
}

export function press(surface: Surface, held: Held): Pressing {
  const accepts: { beganMs: number; endedMs: number }[] = [];
  let checks = 0;
  let unsure = 0;
  let answeredMs = Number.POSITIVE_INFINITY;
  let pressing = true;
  const check = async (): Promise<void> => {
    const beganMs = performance.now();
    const verdict = await surface.check(held);
    if (beganMs >= answeredMs) {
      checks++;
      if (verdict === 'unsure') unsure++;
    }
    if (verdict === 'accepted') accepts.push({ beganMs, endedMs: performance.now() });
  };
  const worker = async (): Promise<void> => {
    while (pressing) {
      await check();
      if (answeredMs === Number.POSITIVE_INFINITY) await sleep(PAUSE_MS);
      // A replica answers without waiting for anything: others get their turn here.
      else await new Promise((next) => setImmediate(next));
    }
  };
  const workers: Promise<void>[] = [];
  const begin = (): void => {
    const work = worker();
    // A failure is told by stop, which waits for all of them.
    work.catch(() => undefined);
    workers.push(work);
  };
  begin();
  return {
    answered(atMs) {
      answeredMs = atMs;
      while (workers.length < AT_ONCE) begin();
    },
    async stop() {
      pressing = false;
      await Promise.all(workers);
      const lastMs = Math.max(...accepts.map(({ endedMs }) => endedMs));
      return {
        surface: surface.name,
        checks,
        unsure,
        late: accepts.filter(({ beganMs }) => beganMs >= answeredMs).length,
        lastAcceptMs: accepts.length > 0 ? lastMs - answeredMs : null,
      };
    },
  };
}
