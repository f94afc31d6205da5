import type { Cut } from './cuts.ts';

/** A cut and the key it stands under; see `keysOf`. */
export interface KeyedCut extends Cut {
  key: string;
}

/** One event of the log, as far as a checker needs it. Taking it in twice is as good as once, in any order. */
export interface Ending {
  /** The event's position: its name, for whoever must tell events apart. */
  position: number;
  /** Session ids (UUID) that are over. */
  ids: readonly string[];
  cuts: readonly KeyedCut[];
  /** Ids of users whose facts (role, address, name) are no longer what they were. */
  changed: readonly number[];
}
