import type { Timers } from '../system/timers.ts';
import { DatabaseError } from './database.ts';
import type { Lane } from './statement.ts';

interface Group {
  /** Connections that no other group takes. */
  kept: number;
  used: number;
  waiting: (() => void)[];
}

/** One in this many turns goes to the last lane, so that a flood of checks leaves something for logins. */
const LAST_FIRST = 4;

/**
 * Hands out a bounded number of connections. Each lane has some of its own: blocked or numerous logins delay neither checks nor
 * logouts, nor the nodes' reading of the log.
 */
export class Lanes {
  readonly #connections: number;
  readonly #patienceMs: number;
  readonly #timers: Timers;
  /** In the order of priority. */
  readonly #groups: Group[];
  readonly #of: Record<Lane, Group>;
  #served = 0;

  constructor(connections: number, patienceMs: number, timers: Timers) {
    this.#connections = connections;
    this.#patienceMs = patienceMs;
    this.#timers = timers;
    const group = (kept: number): Group => ({ kept, used: 0, waiting: [] });
    // A single connection is reserved for no lane; two or three are shared in order of priority.
    const one = connections > 1 ? 1 : 0;
    const fifth = Math.max(one, Math.floor(connections / 5));
    const ending = group(fifth);
    const node = connections === 2 || connections === 3 ? ending : group(one);
    const check = connections === 2 ? ending : group(fifth);
    const other = group(one);
    this.#groups = [...new Set([node, ending, check, other])];
    this.#of = { node, ending, check, other };
  }

  /**
   * Runs work that needs a connection, as soon as its lane has one.
   * @throws DatabaseError when there is none in time
   */
  async run<T>(lane: Lane, work: () => Promise<T>): Promise<T> {
    const group = this.#of[lane];
    if (group.waiting.length === 0 && this.#hasRoom(group)) group.used++;
    else await this.#wait(group);
    try {
      return await work();
    } finally {
      group.used--;
      this.#serve();
    }
  }

  #hasRoom(group: Group): boolean {
    const { used, kept } = this.#groups.reduce(
      (sum, one) => ({
        used: sum.used + one.used,
        kept: sum.kept + (one === group ? 0 : Math.max(0, one.kept - one.used)),
      }),
      { used: 0, kept: 0 },
    );
    return used + kept < this.#connections;
  }

  #wait(group: Group): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        callOff();
        resolve();
      };
      const callOff = this.#timers.after(this.#patienceMs, () => {
        group.waiting.splice(group.waiting.indexOf(enter), 1);
        reject(new DatabaseError('all database connections for this kind of work are in use'));
      });
      group.waiting.push(enter);
    });
  }

  /** Starts the waiting work that has a connection now. */
  #serve(): void {
    const order = ++this.#served % LAST_FIRST === 0 ? this.#groups.toReversed() : this.#groups;
    for (const group of order)
      while (group.waiting.length > 0 && this.#hasRoom(group)) {
        group.used++;
        group.waiting.shift()?.();
      }
  }
}
