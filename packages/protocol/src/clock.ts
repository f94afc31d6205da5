/** One moment on both clocks of one process, in milliseconds. It is never compared with another process's. */
export interface Instant {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** The source of time: nothing in this package reads a clock or sets a timer itself. */
export interface Clock {
  now(): Instant;
  /** Runs the work once, not before the time has passed. Returns a function that cancels it. */
  after(ms: number, work: () => void): () => void;
  every(ms: number, work: () => void): () => void;
}
