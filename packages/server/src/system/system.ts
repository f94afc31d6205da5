import type { Logger } from 'pino';
import type { PasswordHasher } from './password-hashing.ts';
import type { Places } from './places.ts';
import type { Timers } from './timers.ts';

/** The outside world of the authority. Everything below takes it as an argument, so that a test can replace it. */
export interface System extends Timers {
  /** The current instant, for expiry and display, never to order events. */
  readonly now: () => Date;
  /** Sets `now`: the database said `ms` at some moment between these two of the monotonic clock. */
  readonly setNow: (ms: number, fromMonotonicMs: number, toMonotonicMs: number) => void;
  /** This machine's wall clock, right or wrong: only to notice that the monotonic one stopped. */
  readonly wallMs: () => number;
  /** The monotonic clock in milliseconds, for durations: leases, waits. */
  readonly monotonicMs: () => number;
  /** Cryptographically strong random bytes. */
  readonly randomBytes: (length: number) => Buffer;
  /** A UUID version 7. */
  readonly uuid: () => string;
  passwords: PasswordHasher;
  /** The places of addresses, for display. */
  readonly places: Places;
  log: Logger;
}
