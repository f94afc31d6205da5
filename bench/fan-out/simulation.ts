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
  const relays = layout.relayFanOut === undefined ? 0 : Math.ceil(layout.verifiers / layout.relayFanOut);
  const belowNodes = spread(relays > 0 ? relays : layout.verifiers, layout.nodes);
  const belowRelays = spread(layout.verifiers, Math.max(1, relays));
  const perNode = Math.max(...belowNodes);
  const perRelay = relays > 0 ? Math.max(...belowRelays) : 0;
  const renewing = (below: number): number =>
    (below * RENEWALS_PER_LEASE * costs.renewalMicros) / (layout.leaseMs * 1000);
  const { logoutsPerSecond: rate } = layout;
  // A node reads another node's logout from the log. The simulation counts that like a logout of its own, although it costs less.
  const nodeShare = (rate * (costs.logoutMicros + perNode * costs.endingMicros)) / 1e6 + renewing(perNode);
  const relayShare =
    relays > 0
      ? (rate * (costs.verifierMicros + perRelay * costs.endingMicros)) / 1e6 + renewing(perRelay)
      : 0;
  const outcome: Outcome = { nodeShare, relayShare, relays, nodeBusyMs: 0 };
  if (nodeShare > FULL || relayShare > FULL) return outcome;

  const random = seeded(layout.seed);
  const schedule = new Schedule();
  const nodes = belowNodes.map((below) => new Core(1 - renewing(below)));
  const relayCores = belowRelays.map((below) => new Core(1 - renewing(below)));
  const verifiers = new Float64Array(layout.verifiers);
  const hop = (): number => costs.hopMs * (1 + JITTER * random()) + layout.networkMs;
  const sendMs = (costs.endingMicros * SENDING) / 1000;
  const ackMs = (costs.endingMicros * (1 - SENDING)) / 1000;
  const takeMs = costs.verifierMicros / 1000;
  const latencies: number[] = [];

  /** Sends an ending to all processes below, and answers on the same core when it has taken in the last acknowledgement. */
  function publish(
    core: Core,
    at: number,
    count: number,
    to: (i: number, arrives: number, done: (at: number) => void) => void,
    done: (at: number) => void,
  ): void {
    let missing = count;
    if (missing === 0) return done(at);
    const begins = core.begin(at, count * sendMs);
    for (let i = 0; i < count; i += 1)
      to(i, begins + core.takes((i + 1) * sendMs) + hop(), (said) =>
        schedule.add(said + hop(), (heard) => {
          const taken = core.work(heard, ackMs);
          missing -= 1;
          if (missing === 0) done(taken);
        }),
      );
  }

  const toVerifier =
    (first: number) =>
    (i: number, arrives: number, done: (at: number) => void): void => {
      // One sender, one connection: messages arrive in the order in which they are sent, so this needs no event of its own.
      const ends = Math.max(verifiers[first + i] as number, arrives) + takeMs;
      verifiers[first + i] = ends;
      done(ends);
    };
  const firstVerifier = running(relays > 0 ? belowRelays : belowNodes);
  const firstRelay = running(belowNodes);
  const fanOut = (node: number, at: number, done: (at: number) => void): void => {
    const core = nodes[node] as Core;
    const below = belowNodes[node] as number;
    if (relays === 0) return publish(core, at, below, toVerifier(firstVerifier[node] as number), done);
    publish(
      core,
      at,
      below,
      (i, arrives, acknowledged) => {
        const relay = (firstRelay[node] as number) + i;
        const relayCore = relayCores[relay] as Core;
        schedule.add(arrives, (arrived) =>
          publish(
            relayCore,
            relayCore.work(arrived, takeMs),
            belowRelays[relay] as number,
            toVerifier(firstVerifier[relay] as number),
            acknowledged,
          ),
        );
      },
      done,
    );
  };

  let at = 0;
  for (let n = 0; n < layout.logouts; n += 1) {
    // Users log out independently of each other.
    at += (-Math.log(1 - random()) / rate) * 1000;
    const home = Math.floor(random() * layout.nodes);
    schedule.add(at, (asked) => {
      const served = (nodes[home] as Core).work(asked, costs.logoutMicros / 1000);
      const committed = served + Math.max(0, costs.commitMs - costs.logoutMicros / 1000);
      let missing = layout.nodes;
      const over = (said: number): void => {
        missing -= 1;
        if (missing === 0) latencies.push(said - asked);
      };
      schedule.add(committed, (from) => fanOut(home, from, over));
      for (let other = 0; other < layout.nodes; other += 1) {
        if (other === home) continue;
        // The measured time of a ring covers both ways and the reading of the log.
        schedule.add(committed + costs.ringMs + layout.networkMs, (rung) => {
          const read = (nodes[other] as Core).work(rung, costs.logoutMicros / 1000);
          fanOut(other, read, (said) => over(said + layout.networkMs));
        });
      }
    });
  }
  schedule.run();
  latencies.sort((a, b) => a - b);
  const quantile = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))] ?? 0;
  return {
    ...outcome,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    nodeBusyMs: nodes.reduce((sum, core) => sum + core.busyMs, 0),
  };
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
