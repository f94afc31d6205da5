import type { Clock } from '@curfew/protocol/clock';

/** This process's clocks. Its timers keep no process alive that has nothing else to do. */
export const systemClock: Clock = {
  now: () => ({ monotonicMs: performance.now(), wallMs: Date.now() }),
  after(ms, work) {
    const timer = setTimeout(work, Math.ceil(ms)).unref();
    return () => clearTimeout(timer);
  },
  every(ms, work) {
    const timer = setInterval(work, Math.ceil(ms)).unref();
    return () => clearInterval(timer);
  },
};
