import { setTimeout as sleep } from 'node:timers/promises';
import type { Held } from './logins.ts';
import type { Surface } from './surfaces.ts';

/** The results of one surface around a logout. */
export interface Pressed {
  surface: string;
  /** Checks that began at or after the logout's answer. */
  checks: number;
  /** Those that were accepted: any breaks the guarantee. */
  late: number;
  /** Those that the surface refused because it could not tell: safe, but no proof. */
  unsure: number;
  /** Milliseconds from the logout's answer to the end of the last accepted check; negative: before it. */
  lastAcceptMs: number | null;
}

/** Checks under way at once at each surface, from the answer on. */
const AT_ONCE = 4;
/** Before the answer there is one at a time with pauses, so that the proof does not slow the logout. */
const PAUSE_MS = 5;

/** Checks one credential at a surface: slowly until the answer, then as fast as possible. */
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
      // A replica answers without waiting: other work gets its turn here.
      else await new Promise((next) => setImmediate(next));
    }
  };
  const workers: Promise<void>[] = [];
  const begin = (): void => {
    const work = worker();
    // `stop`, which waits for all of them, reports a failure.
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
