/** The system's status, as this node sees it. Instants are ISO 8601 UTC, durations milliseconds. */
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
  /** The number of connected ones: the list may be shorter. */
  verifier_count: number;
  propagation: {
    span_ms: number;
    spans: Span[];
  };
  readers: ReaderLag[];
  database: { kind: 'postgresql' | 'embedded'; answers: boolean; latency_ms: number | null };
  redis: 'up' | 'away' | 'none';
  notices: { listeners: number };
  passwords: { running: number; waiting: number };
  /** Null until the first count, which may take a while in the background. */
  sessions: { alive: number; counted_at: string } | null;
  marking: Marking[];
  degraded: Degraded[];
}

/** Confirmations of logouts within a few seconds. */
export interface Span {
  at: string;
  /** Logouts that are committed together count once. */
  count: number;
  p50: number | null;
  p99: number | null;
  max: number | null;
  /** Replicas that did not answer, and whose lease expired. */
  waited_out: number;
}

interface VerifierState {
  replica: string;
  /** The API key that it uses; null if it is one of CURFEW_SERVICE_KEYS. */
  key: { id: number; name: string } | null;
  address: string | null;
  since: string;
  age_ms: number | null;
  unread_bytes: number;
  behind: number;
}

/** A reader of the log, and how far it is behind. */
export interface ReaderLag {
  name: string;
  /** At most this many are counted; see `more`. Null when the database did not answer. */
  behind: number | null;
  more: boolean;
  oldest_ms: number | null;
  failures: number;
  last_done: string | null;
}

/** A cut whose sessions are over, and whose rows are not all marked yet. */
export interface Marking {
  position: number;
  scope: string;
  at: string;
  left: number;
}

/** The findings. The list is closed: the page has a text for each. */
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
/** One of `DEGRADED_CODES`. */
export type DegradedCode = (typeof DEGRADED_CODES)[number];

/** Something that is worse than it should be. */
export interface Degraded {
  code: DegradedCode;
  /** `trouble` needs an operator; `notice` is a property of this setup to know of. */
  level: 'trouble' | 'notice';
  facts: Record<string, string | number>;
}
