import type { Cut } from '@curfew/protocol/cuts';
import type { Logged } from './read-log.ts';
import type { Session } from './truth.ts';

/** The epoch, as it was recorded. */
export interface Incarnation {
  readonly epoch: string;
  readonly timeline: number;
  readonly settled: boolean;
  /** The start of the server for which positions were last raised. */
  readonly started: number;
}

/** All commits at one instant, as a standby has received them or a copy has them. */
export interface Past {
  readonly atMs: number;
  readonly position: number;
  readonly onDisk: number;
  readonly log: readonly Logged[];
  readonly cuts: ReadonlyMap<string, Cut>;
  readonly nodes: ReadonlyMap<string, { beat: number }>;
  readonly there: ReadonlySet<Session>;
  readonly marked: ReadonlySet<Session>;
  readonly incarnation: Incarnation;
}
