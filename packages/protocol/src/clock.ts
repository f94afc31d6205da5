/** One moment on both clocks of one process, in milliseconds. Never compared with another process's. */
export interface Instant {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** Time, given from outside: nothing in this package looks at a clock or sets a timer of its own. */
export interface Clock {
  now(): Instant;
  /** Does the work once, not before the time is over. The function that it gives calls it off. */
  after(ms: number, work: () => void): () => void;
  every(ms: number, work: () => void): () => void;
}
