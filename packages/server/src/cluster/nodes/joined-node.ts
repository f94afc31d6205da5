import type { Ending } from '@curfew/protocol/ending';
import { type Done, Node, type Propagation, WentBack } from '@curfew/protocol/node';
import type { Verdict, Watched } from '@curfew/protocol/replica';
import type { RingFault } from '@curfew/protocol/rings';
import type { Logger } from 'pino';
import { endingOf } from '../../domain/event-ending.ts';
import { type Database, DatabaseError } from '../../store/database.ts';
import type { EndingEvent } from '../../store/log/log-event.ts';
import { removeNode } from '../../store/node-registry.ts';
import type { System } from '../../system/system.ts';
import type { Judge } from '../memory/session-memory.ts';
import type { Doorbell } from './doorbell.ts';
import { nodeDatabase, type Reload } from './node-database.ts';

const PAGE = 5000;
/** Events are dated by the clock of the node that wrote them, so the read begins this much earlier. */
const CLOCKS_APART_MS = 120_000;

/** This process among the authority's processes on one database; see docs/guarantee.md and docs/decisions/0005. */
export interface Nodes extends Judge {
  /** The protocol's node: its replica, and the verifiers that follow it. */
  readonly node: Node;
  /** Takes in what this process has just committed, together. */
  committed(...endings: Committed[]): void;
  /**
   * Waits until no other replica accepts a credential of a session that these ended. Call it after the commit.
   * @throws DatabaseError when the database went back meanwhile, and may have lost it
   */
  confirm(...endings: Committed[]): Promise<Propagation>;
  /** Confirms endings that other processes committed before the call. */
  confirmEarlier(): Promise<Propagation>;
  /** The database lacks something that it certainly had: this node begins anew, and so do all others. */
  foundBack(): void;
  /** Tells the other nodes that the lists of these users' sessions have changed. May be lost. */
  hint(userIds: number[]): void;
  /** Called for each confirmation, with the milliseconds since the commit and the result. */
  onConfirmed(listener: (ms: number, propagation: Propagation) => void): void;
  /**
   * Called for each ending in the replica, in the order of subscription. `own`: this process committed it. If it throws, the node
   * trusts nothing until it has read the log anew.
   */
  onEnding(listener: (ending: Ending, event: EndingEvent, own: boolean) => void): void;
  /** Called when endings may have been missed: nothing remembered is valid. */
  onGap(listener: () => void): void;
  /** Called when another node says that the lists of these users' sessions have changed. */
  onHint(listener: (userIds: readonly number[]) => void): void;
  /** The age of this node's replica in milliseconds, and its numbers of nodes and verifiers, for metrics. */
  state(): { ageMs: number; nodes: number; verifiers: number };
  /** The number of refused texts on the doorbell's channels, by reason. */
  refused(): Readonly<Record<RingFault, number>>;
  /** Endings must be kept for so long from now on, and the terms of the feed have changed: followers must get the new ones. */
  keepFor(ms: number): void;
  /** Called when the terms of the feed have changed. */
  onTerms(listener: () => void): void;
  /** Called when the database has gone back: followers of this node must begin anew, over a new connection. */
  onBack(listener: () => void): void;
  close(): Promise<void>;
}

/** An ending that this process committed, which the log need not return to it. */
interface Committed {
  event: EndingEvent;
}

interface NodesOptions {
  database: Database;
  system: System;
  leaseMs: number;
  /** Longer than the life of any credential that is judged by a replica alone. */
  keepMs: number;
  doorbell: Doorbell;
  reloads?: readonly Reload[];
  /** Events in one read of the log, so that a million of them do not hold up checks. */
  pageSize?: number;
}

/**
 * Registers this process as a node and follows the log. Parts that need the node are built after it and subscribe: before that
 * there is nothing that an ending could make old.
 */
export async function joinNodes(options: NodesOptions): Promise<Nodes> {
  const joined = new JoinedNode(options);
  await joined.start();
  return joined;
}

class JoinedNode implements Nodes {
  readonly node: Node;
  readonly #database: Database;
  readonly #system: System;
  readonly #doorbell: Doorbell;
  readonly #log: Logger;
  readonly #events = new WeakMap<Ending, EndingEvent>();
  readonly #own = new WeakSet<Ending>();
  /** This process's commits that it has taken in: the next read of the log leaves them out. */
  readonly #takenIn: number[] = [];
  readonly #heard = {
    ending: new Listeners<[ending: Ending, event: EndingEvent, own: boolean]>(),
    gap: new Listeners(),
    hint: new Listeners<[userIds: readonly number[]]>(),
    back: new Listeners(),
    terms: new Listeners(),
    confirmed: new Listeners<[ms: number, propagation: Propagation]>(),
  };
  #stopListening = async (): Promise<void> => undefined;

  constructor({ database, system, doorbell, leaseMs, keepMs, ...more }: NodesOptions) {
    this.#database = database;
    this.#system = system;
    this.#doorbell = doorbell;
    this.#log = system.log.child({ part: 'nodes' });
    this.node = new Node(
      system.uuid(),
      {
        now: () => ({ monotonicMs: system.monotonicMs(), wallMs: system.wallMs() }),
        authorityNowMs: () => system.now().getTime(),
        after: system.after,
        every: system.every,
        database: nodeDatabase(database, system, {
          read: (event) => this.#read(event),
          takenIn: this.#takenIn,
          since: () => new Date(system.now().getTime() - this.node.keepMs - CLOCKS_APART_MS),
          pageSize: more.pageSize ?? PAGE,
          reloads: more.reloads ?? [],
        }),
        ring: (message) => {
          doorbell
            .ring(message)
            .catch((err: unknown) => this.#log.warn({ err }, 'could not notify the other nodes'));
        },
        onEnding: (ending) => {
          const event = this.#events.get(ending);
          if (!event) throw new Error('received an ending without its event');
          this.#heard.ending.tell(ending, event, this.#own.has(ending));
        },
        onGap: () => this.#heard.gap.tell(),
        onBack: () => this.#heard.back.tell(),
        onTrouble: reportOnce(this.#log, system),
      },
      { leaseMs, keepMs, sole: database.sole },
    );
  }

  async start(): Promise<void> {
    const { node } = this;
    await new Promise<void>((resolve, reject) => {
      node.start((error) => (error ? reject(error as Error) : resolve()));
    });
    this.#stopListening = await this.#doorbell.listen(
      (message) => node.heard(message),
      // Rings in between were missed; the node reports a failure.
      () => node.catchUp(() => undefined),
      ({ from, changed }) => {
        if (from !== node.id) this.#heard.hint.tell(changed);
      },
      () => node.others,
    );
  }

  judge(session: Watched): Verdict {
    return this.node.judge(session);
  }

  ends(session: Watched): boolean {
    return this.node.replica.ends(session);
  }

  committed(...those: Committed[]): void {
    let endings: Ending[];
    try {
      endings = those.map(({ event }) => {
        const ending = this.#read(event);
        this.#own.add(ending);
        return ending;
      });
    } catch (error) {
      return this.node.missed(error);
    }
    // Only then: the replica must hold what reads leave out. A sole node reads no log.
    if (this.node.committed(...endings) && !this.#database.sole)
      for (const { event } of those) this.#takenIn.push(event.position);
  }

  confirm(...endings: Committed[]): Promise<Propagation> {
    return this.#timed((done) =>
      this.node.confirm(
        done,
        endings.map(({ event }) => endingOf(event)),
      ),
    );
  }

  confirmEarlier(): Promise<Propagation> {
    return this.#timed((done) => this.node.confirmEarlier(done));
  }

  foundBack(): void {
    this.node.foundBack();
  }

  hint(userIds: number[]): void {
    if (this.node.others === 0) return;
    this.#doorbell
      .hint({ changed: userIds, from: this.node.id })
      .catch((err: unknown) => this.#log.debug({ err }, 'a hint to the other nodes was lost'));
  }

  onConfirmed(listener: (ms: number, propagation: Propagation) => void): void {
    this.#heard.confirmed.add((...how) => {
      try {
        listener(...how);
      } catch (err) {
        // The logout is confirmed, whatever a listener throws.
        this.#log.error({ err }, 'a listener to confirmations failed');
      }
    });
  }

  onEnding(listener: (ending: Ending, event: EndingEvent, own: boolean) => void): void {
    this.#heard.ending.add(listener);
  }

  onGap(listener: () => void): void {
    this.#heard.gap.add(listener);
  }

  onHint(listener: (userIds: readonly number[]) => void): void {
    this.#heard.hint.add(listener);
  }

  onBack(listener: () => void): void {
    this.#heard.back.add(listener);
  }

  keepFor(ms: number): void {
    this.node.keepFor(ms);
    this.#heard.terms.tell();
  }

  onTerms(listener: () => void): void {
    this.#heard.terms.add(listener);
  }

  refused(): Readonly<Record<RingFault, number>> {
    return this.#doorbell.refused();
  }

  state(): { ageMs: number; nodes: number; verifiers: number } {
    const { node } = this;
    return { ageMs: node.ageMs(), nodes: node.others + 1, verifiers: node.publisher.size };
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.node.close(resolve));
    await this.#stopListening();
    try {
      await removeNode(this.#database, this.node.id);
    } catch (err) {
      this.#log.warn(
        { err },
        'this node could not deregister: logouts wait for its lease until the other nodes find it silent',
      );
    }
  }

  #read(event: EndingEvent): Ending {
    const ending = endingOf(event);
    this.#events.set(ending, event);
    return ending;
  }

  async #timed(ask: (done: Done<Propagation>) => void): Promise<Propagation> {
    const beganMs = this.#system.monotonicMs();
    const propagation = await answered(ask);
    this.#heard.confirmed.tell(this.#system.monotonicMs() - beganMs, propagation);
    return propagation;
  }
}

class Listeners<Args extends unknown[] = []> {
  readonly #all = new Set<(...args: Args) => void>();

  add(listener: (...args: Args) => void): void {
    this.#all.add(listener);
  }

  tell(...args: Args): void {
    for (const listener of this.#all) listener(...args);
  }
}

/** A failed confirmation is a failed logout: the database is at fault, and the caller may retry. */
function answered(ask: (done: Done<Propagation>) => void): Promise<Propagation> {
  return new Promise((resolve, reject) => {
    ask((error, propagation) => {
      if (propagation !== undefined) resolve(propagation);
      else reject(error instanceof WentBack ? new DatabaseError(error.message) : (error as Error));
    });
  });
}

const TROUBLES = {
  log: 'cannot read the log: checks ask the database until the log can be read',
  registry: 'cannot read the node registry: logouts wait for the lease to run out',
  'taken-out': 'this node was removed as silent; it registers again',
  silent: 'a silent node was removed',
  'went-back':
    'the database went back in time: this node starts over and asks the database until it has read the log',
  'taking-in': 'could not process an ending: checks ask the database until the log is read again',
  callback: 'a callback of the node failed',
} as const;
const AGAIN_MS = 10_000;

/** Logs each kind of trouble at most once in ten seconds: a database that is away would fill the log. */
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
