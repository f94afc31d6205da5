import { readFileSync } from 'node:fs';
import { now, type Recorder } from './recorder.ts';

const EVERY_MS = 250;

/**
 * Records how long processes that could have run waited for a processor: on a busy machine that is most of the time of everything. Linux
 * reports it. On other systems this records nothing, and the checker excuses nothing.
 * @returns stops recording
 */
export function watchWaits(recorder: Recorder, processes: () => Map<string, number>): () => void {
  const last = new Map<number, { at: number; us: number }>();
  const look = (): void => {
    for (const [who, pid] of processes()) {
      const us = waitedUs(pid);
      if (us === null) continue;
      const at = now();
      const before = last.get(pid);
      last.set(pid, { at, us });
      if (before && us > before.us)
        recorder.write({ t: 'waited', who, from: before.at, at, us: us - before.us });
    }
  };
  look();
  const timer = setInterval(look, EVERY_MS);
  return () => clearInterval(timer);
}

/** Since the start of its main thread. */
function waitedUs(pid: number): number | null {
  try {
    return Math.round(Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1000);
  } catch {
    return null;
  }
}
