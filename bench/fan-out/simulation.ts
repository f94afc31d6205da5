import { seeded } from './random.ts';
import { Schedule } from './schedule.ts';
import type { UnitCosts } from './unit-costs.ts';

/**
 * How an ending reaches all verifiers and how their acknowledgements come back, with and without relays in between. A relay is a verifier
 * that is a publisher too: it takes an ending in, passes it on, and acknowledges it when all verifiers below have acknowledged. Relays do
 * not exist. The cost of one is the sum of the measured costs of its two halves.
 *
 * Every process is one core that does one thing at a time, in the order of arrival. The simulation has no single renewals: they take their
 * share of the core, and everything else takes longer accordingly.
 */
export interface Layout {
  nodes: number;
  verifiers: number;
  /** Verifiers below one relay. Without it the verifiers follow the nodes themselves. */
  relayFanOut?: number;
  logoutsPerSecond: number;
  leaseMs: number;
  /** One way over the network, in addition to the hop that was measured on one machine. */
  networkMs: number;
  logouts: number;
  seed: number;
}

export interface Outcome {
  /** Share of its one core for which a node, and a relay, is busy: a share of 1 or more is impossible. */
  nodeShare: number;
  relayShare: number;
  relays: number;
  /** From the request of a logout to its confirmed answer. Absent if one core is not enough. */
  p50Ms?: number;
  p99Ms?: number;
  /** For what share of the simulated time the nodes' cores were busy, without renewals. */
  nodeBusyMs: number;
}

/** A core that is busier than this has queues longer than any lease. */
const FULL = 0.9;
const RENEWALS_PER_LEASE = 4;
/** The share of an ending's cost at its sender that is the sending. The rest is the acknowledgement. */
const SENDING = 0.5;
/** A hop takes the measured time, up to twice that: evenly spread. */
const JITTER = 1;

export function simulate(costs: UnitCosts, layout: Layout): Outcome {
  const tree = treeOf(layout);
  const shares = sharesOf(costs, layout, tree);
  const outcome: Outcome = { ...shares, relays: tree.relays, nodeBusyMs: 0 };
  if (shares.nodeShare > FULL || shares.relayShare > FULL) return outcome;
  return { ...outcome, ...new Run(costs, layout, tree).run() };
}

/** Who is below whom. */
interface Tree {
  relays: number;
  belowNodes: number[];
  belowRelays: number[];
}

function treeOf({ nodes, verifiers, relayFanOut }: Layout): Tree {
  const relays = relayFanOut === undefined ? 0 : Math.ceil(verifiers / relayFanOut);
  return {
    relays,
    belowNodes: spread(relays > 0 ? relays : verifiers, nodes),
    belowRelays: spread(verifiers, Math.max(1, relays)),
  };
}

/** The share of a core that the renewals of so many take. */
const renewing = (costs: UnitCosts, layout: Layout, below: number): number =>
  (below * RENEWALS_PER_LEASE * costs.renewalMicros) / (layout.leaseMs * 1000);

function sharesOf(costs: UnitCosts, layout: Layout, tree: Tree): Pick<Outcome, 'nodeShare' | 'relayShare'> {
  const share = (ownMicros: number, below: number): number =>
    (layout.logoutsPerSecond * (ownMicros + below * costs.endingMicros)) / 1e6 +
    renewing(costs, layout, below);
  return {
    // A node reads another node's logout from the log. The simulation counts that like a logout of its own, although it costs less.
    nodeShare: share(costs.logoutMicros, Math.max(...tree.belowNodes)),
    relayShare: tree.relays > 0 ? share(costs.verifierMicros, Math.max(...tree.belowRelays)) : 0,
  };
}

/** Called with the time at which something is done. */
type Done = (at: number) => void;
/** Passes an ending on to the `i`th below. */
type PassOn = (i: number, arrives: number, done: Done) => void;

/** The logouts of one layout, from the first request to the last answer. */
class Run {
  readonly #costs: UnitCosts;
  readonly #layout: Layout;
  readonly #tree: Tree;
  readonly #random: () => number;
  readonly #schedule = new Schedule();
  readonly #nodes: Core[];
  readonly #relays: Core[];
  /** When each verifier is free again. */
  readonly #verifiers: Float64Array;
  readonly #firstVerifier: number[];
  readonly #firstRelay: number[];
  readonly #latencies: number[] = [];

  constructor(costs: UnitCosts, layout: Layout, tree: Tree) {
    this.#costs = costs;
    this.#layout = layout;
    this.#tree = tree;
    this.#random = seeded(layout.seed);
    const core = (below: number): Core => new Core(1 - renewing(costs, layout, below));
    this.#nodes = tree.belowNodes.map(core);
    this.#relays = tree.belowRelays.map(core);
    this.#verifiers = new Float64Array(layout.verifiers);
    this.#firstVerifier = running(tree.relays > 0 ? tree.belowRelays : tree.belowNodes);
    this.#firstRelay = running(tree.belowNodes);
  }

  run(): { p50Ms: number; p99Ms: number; nodeBusyMs: number } {
    let at = 0;
    for (let n = 0; n < this.#layout.logouts; n += 1) {
      // Users log out independently of each other.
      at += (-Math.log(1 - this.#random()) / this.#layout.logoutsPerSecond) * 1000;
      const home = Math.floor(this.#random() * this.#layout.nodes);
      this.#schedule.add(at, (asked) => this.#logOut(home, asked));
    }
    this.#schedule.run();
    const latencies = this.#latencies.sort((a, b) => a - b);
    const quantile = (share: number): number =>
      latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0;
    return {
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      nodeBusyMs: this.#nodes.reduce((sum, core) => sum + core.busyMs, 0),
    };
  }

  #logOut(home: number, asked: number): void {
    const { logoutMicros, commitMs, ringMs } = this.#costs;
    const { nodes, networkMs } = this.#layout;
    const served = (this.#nodes[home] as Core).work(asked, logoutMicros / 1000);
    const committed = served + Math.max(0, commitMs - logoutMicros / 1000);
    let missing = nodes;
    const over: Done = (said) => {
      missing -= 1;
      if (missing === 0) this.#latencies.push(said - asked);
    };
    this.#schedule.add(committed, (from) => this.#fanOut(home, from, over));
    for (let other = 0; other < nodes; other += 1) {
      if (other === home) continue;
      // The measured time of a ring covers both ways and the reading of the log.
      this.#schedule.add(committed + ringMs + networkMs, (rung) => {
        const read = (this.#nodes[other] as Core).work(rung, logoutMicros / 1000);
        this.#fanOut(other, read, (said) => over(said + networkMs));
      });
    }
  }

  /** From a node to its verifiers, through its relays if there are any. */
  #fanOut(node: number, at: number, done: Done): void {
    const core = this.#nodes[node] as Core;
    const toBelow =
      this.#tree.relays > 0
        ? this.#toRelay(this.#firstRelay[node] as number)
        : this.#toVerifier(this.#firstVerifier[node] as number);
    this.#publish(core, at, this.#tree.belowNodes[node] as number, toBelow, done);
  }

  #toRelay(first: number): PassOn {
    return (i, arrives, done) => {
      const relay = first + i;
      const core = this.#relays[relay] as Core;
      const toBelow = this.#toVerifier(this.#firstVerifier[relay] as number);
      this.#schedule.add(arrives, (arrived) => {
        const taken = core.work(arrived, this.#costs.verifierMicros / 1000);
        this.#publish(core, taken, this.#tree.belowRelays[relay] as number, toBelow, done);
      });
    };
  }

  #toVerifier(first: number): PassOn {
    return (i, arrives, done) => {
      // One sender, one connection: messages arrive in the order in which they are sent, so this needs no event of its own.
      const begins = Math.max(this.#verifiers[first + i] as number, arrives);
      const ends = begins + this.#costs.verifierMicros / 1000;
      this.#verifiers[first + i] = ends;
      done(ends);
    };
  }

  /** Sends an ending to all processes below, and answers on the same core when it has taken in the last acknowledgement. */
  #publish(core: Core, at: number, count: number, to: PassOn, done: Done): void {
    const sendMs = (this.#costs.endingMicros * SENDING) / 1000;
    const ackMs = (this.#costs.endingMicros * (1 - SENDING)) / 1000;
    let missing = count;
    if (missing === 0) return done(at);
    const begins = core.begin(at, count * sendMs);
    for (let i = 0; i < count; i += 1)
      to(i, begins + core.takes((i + 1) * sendMs) + this.#hopMs(), (said) =>
        this.#schedule.add(said + this.#hopMs(), (heard) => {
          const taken = core.work(heard, ackMs);
          missing -= 1;
          if (missing === 0) done(taken);
        }),
      );
  }

  #hopMs(): number {
    return this.#costs.hopMs * (1 + JITTER * this.#random()) + this.#layout.networkMs;
  }
}

/** One core, which does one thing at a time. `speed` is the share that the renewals leave. */
class Core {
  busyMs = 0;
  readonly #speed: number;
  #freeAt = 0;

  constructor(speed: number) {
    this.#speed = speed;
  }

  takes(ms: number): number {
    return ms / this.#speed;
  }

  /** When the work begins. */
  begin(at: number, ms: number): number {
    const begins = Math.max(at, this.#freeAt);
    this.#freeAt = begins + this.takes(ms);
    this.busyMs += ms;
    return begins;
  }

  /** When the work is over. */
  work(at: number, ms: number): number {
    return this.begin(at, ms) + this.takes(ms);
  }
}

/** Divides so many among so many, as evenly as possible. */
function spread(count: number, over: number): number[] {
  return Array.from({ length: over }, (_, i) => Math.floor((count + i) / over)).toReversed();
}

/** For each element, the sum of all before it. */
function running(counts: number[]): number[] {
  let sum = 0;
  return counts.map((count) => (sum += count) - count);
}
