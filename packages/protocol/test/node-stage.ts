/** A node with a hand clock and a database that answers on demand. Each test file calls `openStage` before each test. */
import type { Ending } from '@curfew/protocol/ending';
import { type Done, Node, type NodeDatabase, type Ring, type Provenance } from '@curfew/protocol/node';
import { HandClock } from './hand-clock.ts';
import { sidOf } from './sessions.ts';

export const LEASE = 1000;
/** Lease, margin, and a millisecond of rounding. */
export const LONGEST = 1051;

interface Asked {
  what: keyof NodeDatabase;
  id: string | null;
  answer: (value: unknown) => void;
  fail: () => void;
}

/** A database that answers on demand. */
class HandDatabase implements NodeDatabase {
  readonly asked: Asked[] = [];

  #ask<T>(what: keyof NodeDatabase, id: string | null, done: Done<T>): void {
    const leave = (): void => void this.asked.splice(this.asked.indexOf(one), 1);
    const one: Asked = {
      what,
      id,
      answer: (value) => {
        leave();
        done(null, value as T);
      },
      fail: () => {
        leave();
        done(new Error('away'));
      },
    };
    this.asked.push(one);
  }

  /** The standing in every answer. */
  standing: Provenance = { epoch: '1.a', foreign: false, settled: true, beat: 1 };

  /** Answers with the standing and this. */
  #askStanding<T extends Provenance>(what: keyof NodeDatabase, id: string | null, done: Done<T>): void {
    this.#ask(what, id, (error, answer) =>
      done(error, error ? undefined : ({ ...this.standing, ...(answer as object) } as T)),
    );
  }

  register(id: string, done: Done<Provenance & { raised: number }>): void {
    this.#askStanding('register', id, done);
  }
  beat(id: string, done: Done<Provenance & { raised: number }>): void {
    this.#askStanding('beat', id, done);
  }
  nodes(_id: string, done: Done<Provenance & { nodes: readonly { id: string; beat: number }[] }>): void {
    this.#askStanding('nodes', null, done);
  }
  takeOut(id: string, _beat: number, _epoch: string, done: Done<boolean>): void {
    this.#ask('takeOut', id, done);
  }
  readLog(
    cursor: string | null,
    _id: string,
    done: Done<Provenance & { endings: readonly Ending[]; cursor: string }>,
  ): void {
    this.#askStanding('readLog', cursor, done);
  }
  newEpoch(seen: string, above: string, done: Done<void>): void {
    this.#ask('newEpoch', `${seen} ${above}`, done);
  }
  settle(epoch: string, done: Done<void>): void {
    this.#ask('settle', epoch, done);
  }

  /** The oldest question of the kind. */
  get(what: keyof NodeDatabase): Asked {
    const one = this.asked.find((asked) => asked.what === what);
    if (!one) throw new Error(`nobody asks for ${what}`);
    return one;
  }

  has(what: keyof NodeDatabase): boolean {
    return this.asked.some((asked) => asked.what === what);
  }
}

export let clock: HandClock;
export let database: HandDatabase;
export let rings: Ring[];
export let heard: number[];
export let gaps: number;
export let backs: number;
/** A listener's further effect; tests make it throw. */
let onEnding: (ending: Ending) => void;
export let troubles: string[];
export let node: Node;

export function openStage(): void {
  clock = new HandClock();
  database = new HandDatabase();
  rings = [];
  heard = [];
  gaps = 0;
  backs = 0;
  onEnding = () => undefined;
  troubles = [];
  node = new Node(
    'me',
    {
      now: () => clock.now(),
      after: (ms, work) => clock.after(ms, work),
      every: (ms, work) => clock.every(ms, work),
      authorityNowMs: () => clock.wallMs,
      database,
      ring: (message) => rings.push(message),
      onEnding: (ending) => {
        onEnding(ending);
        heard.push(ending.position);
      },
      onGap: () => gaps++,
      onBack: () => backs++,
      onTrouble: (what) => troubles.push(what),
    },
    { leaseMs: LEASE, keepMs: 1e6 },
  );
}

/** Sets a listener's further effect. */
export const listen = (work: typeof onEnding): void => {
  onEnding = work;
};

export const endingOf = (position: number, n = position): Ending => ({
  position,
  ids: [sidOf(n)],
  cuts: [],
  changed: [],
});
export const read = (endings: Ending[] = [], cursor = '1'): void =>
  database.get('readLog').answer({ endings, cursor });

export function started(): void {
  node.start(() => undefined);
  database.get('register').answer({ raised: 1 });
  read();
}

/** Time passes, and the database answers at once: nothing new, and the beat arrived. */
export function live(ms: number, beats = true): void {
  for (let i = 0; i < ms; i += 50) {
    clock.pass(50);
    while (database.has('readLog')) read();
    while (database.has('nodes')) database.get('nodes').answer({ nodes: [] });
    while (beats && database.has('beat')) database.get('beat').answer({ raised: 1 });
  }
}
