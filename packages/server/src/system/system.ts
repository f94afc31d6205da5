import type { Logger } from 'pino';
import type { PasswordHasher } from './passwords.ts';
import type { Places } from './places.ts';
import type { Timers } from './timers.ts';

/** What the outside world gives the authority. Everything below takes it as an argument, so that a test can give another. */
export interface System extends Timers {
  /** Now, as an instant. Used for expiry and for what people read, never to order events. */
  readonly now: () => Date;
  /** Sets what `now` goes by: the database said `ms` at some moment between these two of the monotonic clock. */
  readonly setNow: (ms: number, fromMonotonicMs: number, toMonotonicMs: number) => void;
  /** This machine's own wall clock, wherever it stands: only to notice that the monotonic one stood still. */
  readonly wallMs: () => number;
  /** A monotonic clock in milliseconds. Used for durations: leases, waits. */
  readonly monotonicMs: () => number;
  /** Cryptographically strong random bytes. */
  readonly randomBytes: (length: number) => Buffer;
  /** A UUID version 7. */
  readonly uuid: () => string;
  passwords: PasswordHasher;
  /** Where addresses are, for those who look at sessions. */
  readonly places: Places;
  log: Logger;
}
