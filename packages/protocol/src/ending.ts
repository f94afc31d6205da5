import type { Cut } from './cuts.ts';

/** A cut and the key it stands under; see `keysOf`. */
export interface KeyedCut extends Cut {
  key: string;
}

/** The part of an event of the log that a checker needs. Applying it is idempotent and independent of order. */
export interface Ending {
  /** The position of the event, which identifies it. */
  position: number;
  /** The ids (UUID) of sessions that ended. */
  ids: readonly string[];
  cuts: readonly KeyedCut[];
  /** The subjects whose role, address or name has changed. */
  changed: readonly string[];
}
