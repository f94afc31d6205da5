/** The stage of the runs: the nodes of one database, kept open from run to run, and their common clock. */
import { saveActivity } from '../../src/store/session-upkeep.ts';
import { type Checker, checkerOf, type Node, openPlace, type Place, until } from '../races/node.ts';
import type { Backend } from '../support.ts';
import type { Lifetimes } from './promised.ts';

const LIVES = { idleSeconds: 1800, absoluteSeconds: 7200, accessTokenSeconds: 300, opaqueAccessSeconds: 900 };

/** The applications, for the settings and for the reference. `shop` differs in all that an application can. */
export const CLIENTS: Record<string, Lifetimes> = {
  default: LIVES,
  envelope: LIVES,
  'session-id': { ...LIVES, idleSeconds: 900, absoluteSeconds: 3600 },
  token: { ...LIVES, absoluteSeconds: 5400, opaqueAccessSeconds: 1200 },
  cookie: { ...LIVES, idleSeconds: 600, absoluteSeconds: 3600 },
  shop: { idleSeconds: 600, absoluteSeconds: 2400, accessTokenSeconds: 120, opaqueAccessSeconds: 300 },
};
export const GRACE_SECONDS = 10;

const SETTINGS = {
  CURFEW_CLIENTS: JSON.stringify({
    ...CLIENTS,
    shop: { ...CLIENTS['shop'], audience: 'https://shop.example', algorithm: 'ES256' },
  }),
  CURFEW_REFRESH_GRACE_SECONDS: String(GRACE_SECONDS),
  // After a jump of the clock a node trusts its memory again with its next beat.
  CURFEW_LEASE_MS: '250',
  // The clock goes through months, and wrong passwords are part of the play.
  CURFEW_KEY_ROTATION_DAYS: '0',
  CURFEW_LOGIN_FAILURES_PAIR: '1000000',
  CURFEW_LOGIN_FAILURES_ADDRESS: '1000000',
  CURFEW_LOGIN_FAILURES_ACCOUNT: '1000000',
};

export interface Stage {
  place: Place;
  node: (n: number) => Node;
  /** Asks over the wire, where the answer may come from before the router. */
  checker: (n: number) => Checker;
  now: () => number;
  /** Moves both clocks. */
  advance: (seconds: number) => void;
  /** Writes down when sessions were used, at every node. */
  flushActivity: () => Promise<void>;
  /** Waits until every node answers from memory. */
  calm: () => Promise<void>;
  /** Ends a run's leftovers without the server's help, which may be broken. */
  clear: () => Promise<void>;
  close: () => Promise<void>;
}

export async function openStage(backend: Backend): Promise<Stage> {
  // The wall clock stops until it is moved, on a whole second, so that the reference can be exact to the millisecond.
  let wallMs = Math.floor(Date.now() / 1000) * 1000;
  let goneMs = 0;
  const place = await openPlace(backend, SETTINGS, {
    now: () => new Date(wallMs),
    monotonicMs: () => performance.now() + goneMs,
  });
  const { nodes, rows } = place;
  const checkers = await Promise.all(nodes.map(async (node) => checkerOf(await node.listen(), 2)));
  // Activity is written when the run says so, by the store's own statement. A timer's statement could hold a row while a logout
  // counts, and that count could not be predicted.
  const activity = nodes.map(({ world: { memory } }) => {
    const take = memory.takeActivity.bind(memory);
    memory.takeActivity = () => [];
    return take;
  });
  const pick = <T>(all: T[], n: number): T => all[n % all.length] as T;
  return {
    place,
    node: (n) => pick(nodes, n),
    checker: (n) => pick(checkers, n),
    now: () => wallMs,
    advance(seconds) {
      wallMs += seconds * 1000;
      goneMs += seconds * 1000;
    },
    async flushActivity() {
      for (const [i, { world }] of nodes.entries())
        await saveActivity(world.database, activity[i]?.() ?? [], world.clients.audience);
    },
    calm: () =>
      until('every node is fresh', async () => nodes.every(({ world }) => world.nodes.node.isFresh())),
    async clear() {
      await rows('update user_sessions set is_active = false where is_active');
      for (const take of activity) take();
      for (const node of nodes) node.lines.length = 0;
    },
    async close() {
      for (const checker of checkers) checker.close();
      await place.close();
    },
  };
}
