import type { Held } from './logins.ts';
import type { Surface } from './surfaces.ts';

/** What one surface did while a credential was logged out. */
export interface Pressed {
  surface: string;
  /** Checks that began at or after the logout's answer. */
  checks: number;
  /** Of those, the ones that were accepted: none, or the promise is broken. */
  late: number;
  /** Milliseconds from the logout's answer to the end of the last check that was accepted; negative: before it. */
  lastAcceptMs: number | null;
}

/** Checks that are under way at once, at each surface. */
const AT_ONCE = 4;

/**
 * Presses the credential against a surface until told to stop: `answered` is set to the instant of the logout's answer
 * when it is there.
 */
export function press(surface: Surface, held: Held): { stop(answeredMs: number): Promise<Pressed> } {
  const accepts: { beganMs: number; endedMs: number }[] = [];
  const began: number[] = [];
  let pressing = true;
  const worker = async (): Promise<void> => {
    while (pressing) {
      const beganMs = performance.now();
      const yes = await surface.accepts(held);
      began.push(beganMs);
      if (yes) accepts.push({ beganMs, endedMs: performance.now() });
      // A replica answers without waiting for anything: others get their turn here.
      await new Promise((next) => setImmediate(next));
    }
  };
  const work = Promise.all(Array.from({ length: AT_ONCE }, worker));
  // A failure is told when the work is asked for.
  work.catch(() => undefined);
  return {
    async stop(answeredMs) {
      pressing = false;
      await work;
      const lastMs = Math.max(...accepts.map(({ endedMs }) => endedMs));
      return {
        surface: surface.name,
        checks: began.filter((beganMs) => beganMs >= answeredMs).length,
        late: accepts.filter(({ beganMs }) => beganMs >= answeredMs).length,
        lastAcceptMs: accepts.length > 0 ? lastMs - answeredMs : null,
      };
    },
  };
}
