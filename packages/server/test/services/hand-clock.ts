/** Time that a test moves by hand, for servers and for the verifiers beside them. What is real goes on meanwhile: sockets, PostgreSQL. */
import { HandClock } from '../../../protocol/test/hand-clock.ts';
import type { System } from '../../src/system/system.ts';

/** It stands where the machine's clock stands: the database dates by that too. */
export function openHandClock(): HandClock {
  const clock = new HandClock();
  clock.wallMs = Date.now();
  return clock;
}

export type Time = Pick<System, 'now' | 'setNow' | 'wallMs' | 'monotonicMs' | 'after' | 'every'>;

/** What of the outside world is time, by this clock. */
export function timeOf(clock: HandClock): Time {
  return {
    now: () => new Date(clock.wallMs),
    setNow: () => undefined,
    wallMs: () => clock.wallMs,
    monotonicMs: () => clock.monotonicMs,
    after: (ms, work) => clock.after(ms, work),
    every: (ms, work) => clock.every(ms, work),
  };
}
