import type { SessionView } from './session.ts';

/* Logouts as they cross the wire in `/v1`. */

/** The result of a logout. Replicas are nodes and verifiers: they answer checks from memory. */
export interface Logout {
  /** Sessions that were ended; when `more` is true, at least this many. */
  ended: number;
  /** The rows of some of these sessions are still to be marked in the background. All of them are over already. */
  more: boolean;
  /** True when no replica accepts a credential of an ended session any more. */
  confirmed: boolean;
  /** Milliseconds from the request to the answer. */
  ms: number;
  /** Other replicas that acknowledged. */
  acknowledged: number;
  /** Other replicas that did not answer, and whose lease expired. */
  waited_out: number;
}

/** The preview of a logout. */
export interface LogoutPreview {
  dry_run: true;
  /** Sessions that would end. */
  count: number;
  /** The newest of them, at most 10. */
  sample: SessionView[];
}
