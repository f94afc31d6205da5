/**
 * The lines of a history. Every process writes its own file, one line of JSON for each thing it did. Instants are microseconds
 * of CLOCK_MONOTONIC, which on Linux is one clock for all processes of a machine.
 */
export type Line =
  | { t: 'process'; who: string; pid: number; at: number }
  | { t: 'mark'; what: Mark; at: number }
  | { t: 'fault'; n: number; kind: string; on: readonly string[]; at: number }
  /** The fault is over, and killed processes serve again. */
  | { t: 'healed'; n: number; at: number }
  /** What the forger has sent or written since its last line of that kind. */
  | { t: 'forged'; what: string; count: number; at: number }
  /** How long a process that could have run has waited for a processor since the instant `from`. */
  | WaitedLine
  | LossLine
  | LoginLine
  /** `status` 0: no answer came. */
  | { t: 'refresh'; s: number; node: string; sent: number; got: number; status: number }
  | LogoutLine
  | AnswerLine
  | CheckLine
  | BelieverLine;

export type Mark = 'load begins' | 'faults end' | 'load ends' | 'last look begins' | 'last look ends';

export interface WaitedLine {
  t: 'waited';
  who: string;
  from: number;
  at: number;
  us: number;
}

/** The database went back: commits between the first two instants may be lost. */
export interface LossLine {
  t: 'lost';
  from: number;
  to: number;
  /** When its address began to lead to the new database. */
  back: number;
}

/** A session was opened, and its client received it. */
export interface LoginLine {
  t: 'login';
  /** Its number in this history. */
  s: number;
  sid: string | null;
  user: number;
  client: string;
  device: string | null;
  /** By which family it was opened. */
  via: string;
  sent: number;
  got: number;
}

/** What a logout requested to end. */
export type Cover =
  | { s: readonly number[] }
  | { user: number; except?: number; device?: string }
  | { users: readonly number[] }
  | { client: string }
  | { everyone: true };

export interface LogoutLine {
  t: 'logout';
  id: number;
  scope: string;
  cover: Cover;
  node: string;
  sent: number;
}

export interface AnswerLine {
  t: 'answer';
  id: number;
  at: number;
  /** 0: no answer came. */
  status: number;
  confirmed: boolean;
  /** The server's own figures. */
  ms: number | null;
  acknowledged: number;
  waitedOut: number;
}

/** One check, from just before it was asked for until just after it was answered. Most lines are these, so they are short. */
export interface CheckLine {
  t: 'c';
  b: number;
  e: number;
  /** Who answered: a verifier in one run of its process, or a node. */
  w: string;
  s: number;
  /** The kind of credential. */
  k: string;
  /**
   * `memory`, `authority` (a verifier's yes, and whose), `yes` (a node's), `wrong` (a yes that names another session), `no` (a
   * node's), and the verifier's reasons for a no.
   */
  o: string;
}

/** One check of the believer, which has a fault on purpose. Every run has one, and the checker must find it. */
export type BelieverLine = Omit<CheckLine, 't'> & { t: 'believer' };
