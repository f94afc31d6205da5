import type { Ending } from '@curfew/protocol/endings';
import type { RedisCopies } from '../../cache/redis.ts';
import type { Config } from '../../config.ts';
import type { Database } from '../../store/database.ts';
import type { EndingEvent, LogEvent } from '../../store/log/event.ts';
import type { Queryable } from '../../store/statement.ts';
import type { System } from '../../system/system.ts';
import type { NoticeBoard } from './notice-board.ts';

/**
 * A reader of the log: it follows what was committed, and nothing that commits calls it. It is one file, and one line in
 * readers.ts; from there it is run, shown, measured and examined.
 */
export type LogReader = DurableReader | LiveReader;

interface Named {
  /** In the table `readers`, the state of the system, the metrics and the system log. */
  readonly name: string;
  /** What follows the log by it, for people: "the audit view". */
  readonly does: string;
  /** The events that it is given; the others are not read. */
  readonly wants: readonly LogEvent['type'][];
}

/** One that has a place in the table `readers`, and goes on from there in whichever process. */
export interface DurableReader extends Named {
  /**
   * `one-node`: a page is dealt with in the transaction that moves the place, so by one node, and once.
   * `all-nodes`: each node deals with what it finds at the place, and moves it then: dealing with an event twice must change
   * nothing. A node that hangs holds up no other.
   */
  readonly runs: 'one-node' | 'all-nodes';
  /** Where a new one begins. Default: now. */
  readonly begins?: 'now' | 'at the start';
  /** Null where there is nothing for it to do. */
  open(parts: ReaderParts): DurableWork | null;
}

/** One that each node tells of what it takes into its memory, at once. It has no place, and cannot be behind. */
export interface LiveReader extends Named {
  readonly runs: 'live';
  open(parts: ReaderParts): Live | null;
}

/** What readers work with. */
export interface ReaderParts {
  readonly config: Config;
  readonly database: Database;
  readonly system: System;
  readonly redis: RedisCopies | null;
  readonly notices: NoticeBoard;
}

export interface Live {
  /** An ending is in this node's memory. `own`: this process has committed it. Must not wait. */
  took(ending: Ending, event: EndingEvent, own: boolean): void;
}

export interface DurableWork extends Partial<Live> {
  /** How what is new is dealt with, a page at a time. Without it `pass` follows the log on its own. */
  readonly pages?: PageWork;
  /** A pass, where more belongs to it than its pages. */
  pass?(pages: () => Promise<void>): Promise<void>;
  /** Called once, with what asks for a pass soon: for news that are not in the log. */
  wakes?(soon: () => void): void;
  /** Whether a commit of this process needs a pass soon. Default: whatever it wants. */
  readonly soonFor?: (committed: CommittedNews) => boolean;
}

/** In the order of the transactions. `on` is the transaction that moves the place, where the reader runs on one node. */
export type PageWork =
  | { deal(events: EndingEvent[], on: Queryable): Promise<void> }
  /** Of the events nothing is read but where they are. */
  | { dealByPosition(positions: number[], on: Queryable): Promise<void> };

/** What this process has committed. */
export interface CommittedNews {
  readonly type: LogEvent['type'];
  /** Rows are left to be marked. */
  readonly more?: boolean;
}
