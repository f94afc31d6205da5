import type { Clock } from '@curfew/protocol/clock';

/** This process's clocks. The timers do not keep a process alive. */
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
