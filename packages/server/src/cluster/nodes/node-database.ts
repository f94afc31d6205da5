import type { Ending } from '@curfew/protocol/ending';
import type { Done, NodeDatabase } from '@curfew/protocol/node';
import type { Database } from '../../store/database.ts';
import { beginEpoch, settleEpoch } from '../../store/epoch.ts';
import { pageOfKeys } from '../../store/issued-keys.ts';
import { cursorSince } from '../../store/log/cursors.ts';
import type { EndingEvent, LogEvent } from '../../store/log/log-event.ts';
import { type News, readEndings } from '../../store/log/follow.ts';
import {
  type Beaten,
  beatNode,
  readNodes,
  registerNode,
  removeSilentNode,
} from '../../store/node-registry.ts';
import { inLane } from '../../store/statement.ts';
import type { System } from '../../system/system.ts';
import { clockSetter } from './align-clock.ts';

/**
 * What a process keeps of the database, and reads again after certain events: before the node takes in the page that holds them, so
 * that a fresh node knows every such change that is older than the lease. A failure is a failed read of the log.
 */
export interface Reload {
  readonly after: readonly LogEvent['type'][];
  load(): Promise<void>;
}

/** Enough for an operator to compare. */
const LISTED_KEYS = 100;

/** Begins a new epoch. One node of all does, and lists the API keys that may have come back with the database. */
async function newEpoch(database: Database, system: System, seen: string, above: string): Promise<void> {
  if (!(await beginEpoch(database, seen, above))) return;
  const now = system.now();
  const live = await pageOfKeys(
    inLane(database, 'node'),
    { before: null, dead: false },
    LISTED_KEYS,
    now,
  ).catch((err: unknown) => {
    // The epoch has begun, and the node must go on: the copy may be too old to have the table.
    system.log.warn({ err }, 'cannot list the API keys of the database that went back');
    return null;
  });
  if (live?.length === 0) return;
  system.log.warn(
    {
      api_keys: live?.map(({ id, name, created_at, last_used_at }) => ({
        id,
        name,
        created_at,
        last_used_at,
      })),
    },
    `the database went back in time: API keys that were revoked in the lost time are live again. Compare these keys with those that you revoked. To revoke all of them: curfew api-keys revoke-all --created-before ${now.toISOString()}`,
  );
}

/** The protocol's questions to the database, by Curfew's statements. */
export function nodeDatabase(
  database: Database,
  system: System,
  how: {
    read: (event: EndingEvent) => Ending;
    /** This process's commits that the replica holds. Emptied as reads leave them out. */
    takenIn: number[];
    since: () => Date;
    pageSize: number;
    reloads: readonly Reload[];
  },
): NodeDatabase {
  const answer = <T>(asked: Promise<T>, done: Done<T>): void => {
    asked
      .then(
        (value) => done(null, value),
        (error: unknown) => done(error),
      )
      // A fault of the node itself: logged, because nobody else would see it.
      .catch((err: unknown) => system.log.error({ err }, 'could not process an answer from the database'));
  };
  /** The last answer: a sole node that has read everything has nothing more to read. */
  let last: Pick<News<EndingEvent>, 'cursor' | 'more' | 'provenance'> | null = null;
  /** The node's own commits, until a read has passed them. */
  let held: number[] = [];
  const readLog = async (cursor: string | null, id: string) => {
    if (cursor === null) {
      // A node that begins anew holds nothing.
      last = null;
      held = [];
      how.takenIn.length = 0;
    }
    if (database.sole && cursor !== null && last?.cursor === cursor && !last.more) {
      // A caller whose commit was answered before this question takes it in by the next turn.
      await new Promise((turn) => setImmediate(turn));
      return { ...last.provenance, endings: [], cursor };
    }
    const from = cursor ?? (await cursorSince(database, how.since()));
    held = [...held, ...how.takenIn.splice(0)];
    const asker = { id, newest: last?.provenance.newest ?? '-' };
    const news = await readEndings(inLane(database, 'node'), from, how.pageSize, held, asker);
    for (const reload of how.reloads)
      if (news.events.some(({ type }) => reload.after.includes(type))) await reload.load();
    // All of them were committed before this question.
    if (!news.more) held = [];
    last = { cursor: news.cursor, more: news.more, provenance: news.provenance };
    return {
      ...news.provenance,
      endings: news.events.map((event) => how.read(event)),
      cursor: news.cursor,
      more: news.more,
    };
  };
  const setClock = clockSetter(database, system);
  const beaten = async (asking: Promise<Beaten>): Promise<Beaten> => {
    const askedMs = system.monotonicMs();
    const answer = await asking;
    setClock(answer.now, askedMs);
    return answer;
  };
  return {
    register: (id, done) => answer(beaten(registerNode(database, id, system.now())), done),
    beat: (id, done) => answer(beaten(beatNode(database, id)), done),
    nodes: (id, done) => answer(readNodes(database, id), done),
    takeOut: (id, beat, epoch, done) => answer(removeSilentNode(database, id, beat, epoch), done),
    readLog: (cursor, id, done) => answer(readLog(cursor, id), done),
    newEpoch: (seen, above, done) => answer(newEpoch(database, system, seen, above), done),
    settle: (epoch, done) => answer(settleEpoch(database, epoch), done),
  };
}
