import type { SessionView } from './session.ts';

/* Logouts as they cross the wire in `/v1`. */

/** What a logout did. A replica is a node or a verifier: whoever answers checks from memory. */
export interface Logout {
  /** Sessions that were ended; when `more` is true, at least this many. */
  ended: number;
  /** Rows of these sessions are still to be marked, in the background. All of them are over already. */
  more: boolean;
  /** No replica accepts a credential of an ended session any more. */
  confirmed: boolean;
  /** Milliseconds from the request to the answer. */
  ms: number;
  /** Other replicas that acknowledged. */
  acknowledged: number;
  /** Other replicas that did not answer, and whose lease had to run out. */
  waited_out: number;
}

/** What a logout would do. */
export interface LogoutPreview {
  dry_run: true;
  /** Sessions that would end. */
  count: number;
  /** The newest of them, 10 at most. */
  sample: SessionView[];
}
