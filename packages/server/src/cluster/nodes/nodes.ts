import type { Ending } from '@curfew/protocol/endings';
import { type Done, Node, type Propagation, WentBack } from '@curfew/protocol/node';
import type { Watched } from '@curfew/protocol/replica';
import type { Refusal } from '@curfew/protocol/rings';
import type { Logger } from 'pino';
import { endingOf } from '../../domain/ending.ts';
import { type Database, DatabaseError } from '../../store/database.ts';
import type { EndingEvent } from '../../store/log/event.ts';
import { removeNode } from '../../store/nodes.ts';
import type { System } from '../../system/system.ts';
import type { Judge } from '../memory/session-memory.ts';
import type { Doorbell } from './doorbell.ts';
import { nodeDatabase } from './node-database.ts';

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
  /** Told of each confirmation: the milliseconds that it took after the commit, and how it went. */
  onConfirmed(listener: (ms: number, propagation: Propagation) => void): void;
  /**
   * Told of each ending that is in the replica now, in the order in which they ask to be. `own`: this process has committed it.
   * One that throws makes the node believe nothing until it has read the log anew.
   */
  onEnding(listener: (ending: Ending, event: EndingEvent, own: boolean) => void): void;
  /** Told when endings may have been missed: nothing remembered can be believed. */
  onGap(listener: () => void): void;
  /** Told when another node says that the lists of these users' sessions have changed. */
  onHint(listener: (userIds: readonly number[]) => void): void;
  /** Age in milliseconds of what this node knows, and how many nodes and verifiers of this node there are, for metrics. */
  state(): { ageMs: number; nodes: number; verifiers: number };
  /** How many texts on the doorbell's channels were not believed, by why. */
  refused(): Readonly<Record<Refusal, number>>;
  /** Told when the database has gone back: whoever follows this node must begin anew, over a new connection. */
  onBack(listener: () => void): void;
  close(): Promise<void>;
}

/** An ending that this process has committed. The log need not give it to this node again. */
interface Committed {
  event: EndingEvent;
}

/**
 * Registers this process as a node and follows the log. Whoever needs the node is made after it and subscribes: until then there
 * is nothing that an ending could make old.
 */
export async function joinNodes(options: {
  database: Database;
  system: System;
  leaseMs: number;
  /** Longer than any credential lives that is judged by a replica alone. */
  keepMs: number;
  doorbell: Doorbell;
  /** Events that are read from the log at a time. Of a million none may hold up the checks that are asked meanwhile. */
  pageSize?: number;
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
  const heard = {
    ending: new Listeners<[ending: Ending, event: EndingEvent, own: boolean]>(),
    gap: new Listeners(),
    hint: new Listeners<[userIds: readonly number[]]>(),
    back: new Listeners(),
    confirmed: new Listeners<[ms: number, propagation: Propagation]>(),
  };

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
        heard.ending.tell(ending, event, own.has(ending));
      },
      onGap: () => heard.gap.tell(),
      onBack: () => heard.back.tell(),
      onTrouble: troubles,
    },
    { leaseMs: options.leaseMs, keepMs: options.keepMs, sole: database.sole },
  );

  await new Promise<void>((resolve, reject) => {
    node.start((error) => (error ? reject(error as Error) : resolve()));
  });
  const timed = async (ask: (done: Done<Propagation>) => void): Promise<Propagation> => {
    const beganMs = system.monotonicMs();
    const propagation = await answered(ask);
    heard.confirmed.tell(system.monotonicMs() - beganMs, propagation);
    return propagation;
  };
  const stopListening = await doorbell.listen(
    (message) => node.heard(message),
    // What was rung in between was not heard; a failure is said by the node.
    () => node.catchUp(() => undefined),
    ({ from, changed }) => {
      if (from !== node.id) heard.hint.tell(changed);
    },
    () => node.others,
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
      heard.confirmed.add((...how) => {
        try {
          listener(...how);
        } catch (err) {
          // The logout is confirmed, whatever becomes of those who count.
          log.error({ err }, 'a listener to confirmations failed');
        }
      });
    },
    onEnding: (listener) => heard.ending.add(listener),
    onGap: (listener) => heard.gap.add(listener),
    onHint: (listener) => heard.hint.add(listener),
    onBack: (listener) => heard.back.add(listener),
    refused: () => doorbell.refused(),
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

class Listeners<Told extends unknown[] = []> {
  readonly #all = new Set<(...told: Told) => void>();

  add(listener: (...told: Told) => void): void {
    this.#all.add(listener);
  }

  tell(...told: Told): void {
    for (const listener of this.#all) listener(...told);
  }
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
