import type { Ending } from '@curfew/protocol/endings';
import { type Done, Node, type NodeDatabase, type Propagation, WentBack } from '@curfew/protocol/node';
import type { Watched } from '@curfew/protocol/replica';
import type { Refusal } from '@curfew/protocol/rings';
import type { Logger } from 'pino';
import { endingOf } from '../../domain/ending.ts';
import { type Database, DatabaseError } from '../../store/database.ts';
import { beginEpoch, settleEpoch } from '../../store/epoch.ts';
import { cursorSince } from '../../store/log/cursors.ts';
import type { EndingEvent } from '../../store/log/event.ts';
import { type News, readEndings } from '../../store/log/follow.ts';
import {
  type Beaten,
  beatNode,
  readClock,
  readNodes,
  registerNode,
  removeNode,
  removeSilentNode,
} from '../../store/nodes.ts';
import { inLane } from '../../store/statement.ts';
import type { System } from '../../system/system.ts';
import type { Doorbell } from './doorbell.ts';
import type { Judge } from '../memory/session-memory.ts';
import { PropagationHistory } from '../state/propagation.ts';

const PAGE = 5000;
/** Events are dated by the clock of the node that wrote them: so far back is looked beyond what must be known. */
const CLOCKS_APART_MS = 120_000;

/** This process among the processes of the authority on one database; see docs/guarantee.md and docs/decisions/0005. */
export interface Nodes extends Judge {
  /** The protocol's own node: its replica, and the verifiers that follow it. */
  readonly node: Node;
  /** Takes in what this process has just committed, together. */
  committed(...endings: Committed[]): void;
  /**
   * Waits until no other replica accepts a credential of a session that these ended. Call it after the commit.
   * @throws DatabaseError when the database has gone back meanwhile, and may have lost it
   */
  confirm(...endings: Committed[]): Promise<Propagation>;
  /** The same for what somebody else has committed before the call. */
  confirmEarlier(): Promise<Propagation>;
  /** The database lacks what it surely had: this node begins anew, and all who read the database with it. */
  foundBack(): void;
  /** Tells the other nodes that the lists of these users' sessions have changed. May be lost. */
  hint(userIds: number[]): void;
  /** Told of each confirmation: how long it took after the commit, and how it went. */
  onConfirmed(listener: ConfirmedListener): void;
  /** Age in milliseconds of what this node knows, and how many nodes and verifiers of this node there are, for metrics. */
  state(): { ageMs: number; nodes: number; verifiers: number };
  /** How many texts on the doorbell's channels were not believed, by why. */
  refused(): Readonly<Record<Refusal, number>>;
  /** Told when the database has gone back: whoever follows this node must begin anew, over a new connection. */
  onBack(listener: () => void): void;
  /** Lately, how long it took until logouts were true everywhere. */
  readonly propagation: PropagationHistory;
  close(): Promise<void>;
}

/** An ending that this process has committed. The log need not give it to this node again. */
export interface Committed {
  event: EndingEvent;
}

type ConfirmedListener = (ms: number, propagation: Propagation) => void;

/** Registers this process as a node and follows the log. */
export async function joinNodes(options: {
  database: Database;
  system: System;
  leaseMs: number;
  /** Longer than any credential lives that is judged by a replica alone. */
  keepMs: number;
  doorbell: Doorbell;
  /** Events that are read from the log at a time. Of a million none may hold up the checks that are asked meanwhile. */
  pageSize?: number;
  /** An ending is in the replica now. `own`: this process has committed it. */
  onEnding: (ending: Ending, event: EndingEvent, own: boolean) => void;
  /** Another node says that the lists of these users' sessions have changed. */
  onHint: (userIds: readonly number[]) => void;
  /** Endings may have been missed: nothing remembered can be believed. */
  onGap: () => void;
}): Promise<Nodes> {
  const { database, system, doorbell } = options;
  const log = system.log.child({ part: 'nodes' });
  const events = new WeakMap<Ending, EndingEvent>();
  const own = new WeakSet<Ending>();
  const read = (event: EndingEvent): Ending => {
    const ending = endingOf(event);
    events.set(ending, event);
    return ending;
  };
  const readOwn = ({ event }: Committed): Ending => {
    const ending = read(event);
    own.add(ending);
    return ending;
  };
  /** What this process has committed and taken in: the next read of the log leaves it out. */
  const takenIn: number[] = [];
  const historyMs = options.keepMs + CLOCKS_APART_MS;
  const troubles = reportOnce(log, system);
  const backListeners = new Set<() => void>();

  const node = new Node(
    system.uuid(),
    {
      now: () => ({ monotonicMs: system.monotonicMs(), wallMs: system.wallMs() }),
      authorityNowMs: () => system.now().getTime(),
      after: system.after,
      every: system.every,
      database: nodeDatabase(database, system, {
        read,
        takenIn,
        since: () => new Date(system.now().getTime() - historyMs),
        pageSize: options.pageSize ?? PAGE,
      }),
      ring: (message) => {
        doorbell
          .ring(message)
          .catch((err: unknown) => log.warn({ err }, 'the other nodes could not be rung'));
      },
      onEnding: (ending) => {
        const event = events.get(ending);
        if (!event) throw new Error('an ending came from nowhere');
        options.onEnding(ending, event, own.has(ending));
      },
      onGap: options.onGap,
      onBack: () => {
        for (const listener of backListeners) listener();
      },
      onTrouble: troubles,
    },
    { leaseMs: options.leaseMs, keepMs: options.keepMs, sole: database.sole },
  );

  await new Promise<void>((resolve, reject) => {
    node.start((error) => (error ? reject(error as Error) : resolve()));
  });
  const listeners = new Set<ConfirmedListener>();
  const propagation = new PropagationHistory(() => system.now().getTime());
  listeners.add((ms, how) => propagation.confirmed(ms, how));
  const timed = async (ask: (done: Done<Propagation>) => void): Promise<Propagation> => {
    const beganMs = system.monotonicMs();
    const propagation = await answered(ask);
    const ms = system.monotonicMs() - beganMs;
    for (const listener of listeners)
      try {
        listener(ms, propagation);
      } catch (err) {
        // The logout is confirmed, whatever becomes of those who count.
        log.error({ err }, 'a listener to confirmations failed');
      }
    return propagation;
  };
  const stopListening = await doorbell.listen(
    (message) => node.heard(message),
    // What was rung in between was not heard; a failure is said by the node.
    () => node.catchUp(() => undefined),
    ({ from, changed }) => from !== node.id && options.onHint(changed),
  );

  return {
    node,
    judge: (session) => node.judge(session),
    ends: (session: Watched) => node.replica.ends(session),
    committed(...those) {
      let endings: Ending[];
      try {
        endings = those.map(readOwn);
      } catch (error) {
        return node.missed(error);
      }
      // Only then: what is left out of the reads must be in the replica. A sole node reads no log.
      if (node.committed(...endings) && !database.sole)
        for (const { event } of those) takenIn.push(event.position);
    },
    confirm: (...endings) =>
      timed((done) =>
        node.confirm(
          done,
          endings.map(({ event }) => endingOf(event)),
        ),
      ),
    confirmEarlier: () => timed((done) => node.confirmEarlier(done)),
    foundBack: () => node.foundBack(),
    hint(userIds) {
      if (node.others === 0) return;
      doorbell
        .hint({ changed: userIds, from: node.id })
        .catch((err: unknown) => log.debug({ err }, 'a hint to the other nodes was lost'));
    },
    onConfirmed(listener) {
      listeners.add(listener);
    },
    refused: () => doorbell.refused(),
    onBack(listener) {
      backListeners.add(listener);
    },
    propagation,
    state: () => ({ ageMs: node.ageMs(), nodes: node.others + 1, verifiers: node.publisher.size }),
    async close() {
      await new Promise<void>((resolve) => node.close(resolve));
      await stopListening();
      try {
        await removeNode(database, node.id);
      } catch (err) {
        log.warn(
          { err },
          'this node could not sign off; the others will wait for it until it is found silent',
        );
      }
    },
  };
}

/** A confirmation that fails is a logout that failed: the database is to blame, and it may be tried again. */
function answered(ask: (done: Done<Propagation>) => void): Promise<Propagation> {
  return new Promise((resolve, reject) => {
    ask((error, propagation) => {
      if (propagation !== undefined) resolve(propagation);
      else reject(error instanceof WentBack ? new DatabaseError(error.message) : (error as Error));
    });
  });
}

/** What the protocol asks of the database, by our statements. */
function nodeDatabase(
  database: Database,
  system: System,
  how: {
    read: (event: EndingEvent) => Ending;
    /** What this process has committed and the replica holds. Emptied as the reads leave it out. */
    takenIn: number[];
    since: () => Date;
    pageSize: number;
  },
): NodeDatabase {
  const answer = <T>(asked: Promise<T>, done: Done<T>): void => {
    asked
      .then(
        (value) => done(null, value),
        (error: unknown) => done(error),
      )
      // The node's own fault: said, not thrown into nowhere.
      .catch((err: unknown) => system.log.error({ err }, 'a node could not take an answer in'));
  };
  /** The last answer: a sole node that has read everything has nothing more to read. */
  let last: Pick<News<EndingEvent>, 'cursor' | 'more' | 'standing'> | null = null;
  /** What this node holds of its own, until a read has gone past it. */
  let held: number[] = [];
  const readLog = async (cursor: string | null, id: string) => {
    if (cursor === null) {
      // A node that begins anew holds nothing.
      last = null;
      held = [];
      how.takenIn.length = 0;
    }
    if (database.sole && cursor !== null && last?.cursor === cursor && !last.more) {
      // Whoever was answered by the database before this was asked has taken in what it committed by the next turn.
      await new Promise((turn) => setImmediate(turn));
      return { ...last.standing, endings: [], cursor };
    }
    const from = cursor ?? (await cursorSince(database, how.since()));
    held = [...held, ...how.takenIn.splice(0)];
    const asker = { id, newest: last?.standing.newest ?? '-' };
    const news = await readEndings(inLane(database, 'node'), from, how.pageSize, held, asker);
    // All of them were committed before this was asked.
    if (!news.more) held = [];
    last = { cursor: news.cursor, more: news.more, standing: news.standing };
    return {
      ...news.standing,
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
    newEpoch: (seen, above, done) => answer(beginEpoch(database, seen, above), done),
    settle: (epoch, done) => answer(settleEpoch(database, epoch), done),
  };
}

/** Sets this process's clock by the database's, before anything is dated. */
export async function alignClock(database: Database, system: System): Promise<void> {
  const askedMs = system.monotonicMs();
  clockSetter(database, system)(await readClock(database), askedMs);
}

/** An answer that took longer says too little of when the database's clock was looked at. */
const QUICK_MS = 500;
/** Beyond this somebody should look after the machine's clock. */
const FAR_OFF_MS = 5000;

/** Keeps this process's clock by the database's, so that all nodes date alike whatever their machines say. */
function clockSetter(database: Database, system: System): (now: Date, askedMs: number) => void {
  let warned = false;
  return (now, askedMs) => {
    const nowMs = system.monotonicMs();
    // Of the embedded database it is the same clock.
    if (database.sole || nowMs - askedMs > QUICK_MS) return;
    system.setNow(now.getTime(), askedMs, nowMs);
    const offMs = system.wallMs() - now.getTime();
    if (Math.abs(offMs) > FAR_OFF_MS && !warned)
      system.log.warn(
        { seconds: Math.round(offMs / 1000) },
        "this machine's clock is off from the database's, which counts",
      );
    warned = Math.abs(offMs) > FAR_OFF_MS;
  };
}

const TROUBLES = {
  log: 'the log cannot be read: checks ask the database until it can',
  registry: 'the registry of nodes cannot be read: a logout waits the lease out',
  'taken-out': 'this node was taken out as silent; it registers anew',
  silent: 'a node has fallen silent and was taken out',
  'went-back': 'the database has gone back: this node begins anew, and asks until it has read the log',
  'taking-in': 'an ending could not be taken in: checks ask the database until the log was read anew',
  callback: 'a callback of the node failed',
} as const;
const AGAIN_MS = 10_000;

/** Each kind of trouble at most once in ten seconds: a database that is away would fill the log. */
function reportOnce(
  log: Logger,
  { monotonicMs }: System,
): (what: keyof typeof TROUBLES, detail: unknown) => void {
  const said = new Map<string, number>();
  return (what, detail) => {
    const nowMs = monotonicMs();
    if (nowMs - (said.get(what) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return;
    said.set(what, nowMs);
    const about = what === 'went-back' ? { epoch: detail } : { node: detail };
    log.warn(detail instanceof Error ? { err: detail } : about, TROUBLES[what]);
  };
}
