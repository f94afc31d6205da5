import type { Candidate } from './candidates/candidate.ts';
import type { Curfew } from './candidates/curfew.ts';
import type { Floors } from './candidates/floors.ts';
import type { Generator } from './load/generator.ts';
import type { Services } from './machine/services.ts';
import type { Options } from './options.ts';

/** Everything that is running while the sections measure, handed to each of them. */
export interface Bench {
  options: Options;
  services: Services;
  floors: Floors;
  curfew: Curfew | undefined;
  /** Curfew's ways of carrying a session; empty with `--no-curfew`. */
  ours: Candidate[];
  peers: Candidate[];
  generator: Generator;
  /** Process trees that belong to this run. Every other process counts as foreign load. */
  readonly pids: number[];
  /** Seconds that are left for repeating disturbed rounds. */
  repeatSecondsLeft: number;
  say(line: string): void;
}
