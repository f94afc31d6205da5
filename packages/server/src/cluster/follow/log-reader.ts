import type { Ending } from '@curfew/protocol/ending';
import type { RedisCopies } from '../../cache/redis.ts';
import type { Config } from '../../config.ts';
import type { Database } from '../../store/database.ts';
import type { EndingEvent, LogEvent } from '../../store/log/log-event.ts';
import type { Queryable } from '../../store/statement.ts';
import type { System } from '../../system/system.ts';
import type { NoticeBoard } from './notice-board.ts';

/**
 * A reader of the log: it follows commits, and no commit calls it. It is one file and one line in readers.ts, from which it is
 * run, shown, measured and examined.
 */
export type LogReader = DurableReader | LiveReader;

interface Named {
  /** In the table `readers`, the system's state, the metrics and the system log. */
  readonly name: string;
  /** Its product, for people: "the audit view". */
  readonly does: string;
  /** The events that it reads; others are skipped. */
  readonly wants: readonly LogEvent['type'][];
}

/** A reader with a cursor in the table `readers`, from which any process continues. */
export interface DurableReader extends Named {
  /**
   * `one-node`: a page is processed in the transaction that moves the cursor, so by one node, and once. `all-nodes`: each node
   * processes the events at the cursor and moves it then, so processing an event twice must change nothing. A node that hangs
   * holds up no other.
   */
  readonly runs: 'one-node' | 'all-nodes';
  /** Where a new one begins. Default: now. */
  readonly begins?: 'now' | 'at the start';
  /** The setting without which no node runs it. Its row then stays where it is, and the log is kept for it. */
  readonly needs?: { readonly setting: string; isSet(config: Config): boolean };
  /** Null where it has nothing to do. */
  open(parts: ReaderParts): DurableWork | null;
}

/** A reader that each node calls at once with what it takes into its memory. It has no cursor, and cannot be behind. */
export interface LiveReader extends Named {
  readonly runs: 'live';
  open(parts: ReaderParts): Live | null;
}

/** The world of readers. */
export interface ReaderParts {
  readonly config: Config;
  readonly database: Database;
  readonly system: System;
  readonly redis: RedisCopies | null;
  readonly notices: NoticeBoard;
}

export interface Live {
  /** An ending is in this node's memory. `own`: this process committed it. Must not wait. */
  took(ending: Ending, event: EndingEvent, own: boolean): void;
}

export interface DurableWork extends Partial<Live> {
  /** Processes new events, a page at a time. Without it `pass` follows the log on its own. */
  readonly pages?: PageWork;
  /** A pass, where it needs more than its pages. */
  pass?(pages: () => Promise<void>): Promise<void>;
  /** Called once, with a function that requests a pass soon: for news outside the log. */
  wakes?(soon: () => void): void;
  /** Whether a commit of this process needs a pass soon. Default: whether it wants the event. */
  readonly soonFor?: (committed: CommittedNews) => boolean;
}

/** In the order of transactions. `on` is the transaction that moves the cursor, where the reader runs on one node. */
export type PageWork =
  | { deal(events: EndingEvent[], on: Queryable): Promise<void> }
  /** Only the positions of the events are read. */
  | { dealByPosition(positions: number[], on: Queryable): Promise<void> };

/** A commit of this process. */
export interface CommittedNews {
  readonly type: LogEvent['type'];
  /** Rows remain to be marked. */
  readonly more?: boolean;
}
