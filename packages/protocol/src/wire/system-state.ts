/** How the system stands, as this node sees it. Instants are ISO 8601 UTC, durations milliseconds. */
export interface SystemState {
  at: string;
  node: {
    id: string;
    fresh: boolean;
    age_ms: number | null;
    lease_ms: number;
    remembered: number;
    sole: boolean;
  };
  nodes: { id: string; this: boolean; started_at: string; silent: boolean }[];
  verifiers: VerifierState[];
  /** All that are connected: the list may be shorter. */
  verifier_count: number;
  propagation: {
    span_ms: number;
    spans: Span[];
  };
  readers: ReaderStanding[];
  database: { kind: 'postgresql' | 'embedded'; answers: boolean; latency_ms: number | null };
  redis: 'up' | 'away' | 'none';
  notices: { listeners: number };
  passwords: { running: number; waiting: number };
  /** Null until they have been counted for the first time: that may take a while, and nobody waits for it. */
  sessions: { alive: number; counted_at: string } | null;
  marking: Marking[];
  degraded: Degraded[];
}

/** Confirmations of logouts within a few seconds. */
export interface Span {
  at: string;
  /** Logouts that are committed together share one. */
  count: number;
  p50: number | null;
  p99: number | null;
  max: number | null;
  /** Replicas that did not answer, and whose lease had to run out. */
  waited_out: number;
}

interface VerifierState {
  replica: string;
  address: string | null;
  since: string;
  age_ms: number | null;
  unread_bytes: number;
  behind: number;
}

export interface ReaderStanding {
  name: string;
  /** At most this many are counted; see `more`. Null when the database did not say. */
  behind: number | null;
  more: boolean;
  oldest_ms: number | null;
  failures: number;
  last_done: string | null;
}

/** A cut whose sessions are over, and whose rows do not all say so yet. */
export interface Marking {
  position: number;
  scope: string;
  at: string;
  left: number;
}

/** Everything that can be less than it should be. Closed: a page has words for each. */
export const DEGRADED_CODES = [
  'database_away',
  'database_slow',
  'not_fresh',
  'node_silent',
  'redis_away',
  'verifier_stale',
  'reader_failing',
  'reader_behind',
  'waited_out',
  'logins_waiting',
  'clock_off',
  'embedded_without_fsync',
  'keys_in_clear',
] as const;
export type DegradedCode = (typeof DEGRADED_CODES)[number];

/** One thing that is less than it should be. */
export interface Degraded {
  code: DegradedCode;
  /** `trouble` wants somebody; `notice` is a choice of this setup that one should know of. */
  level: 'trouble' | 'notice';
  facts: Record<string, string | number>;
}
