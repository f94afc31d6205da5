import { Random } from '../simulator/random.ts';

/** The kinds of faults, by what they affect. Each comes as often as the others. */
const FAMILIES = [
  ['cut', 'hole', 'hole-up', 'hole-down', 'slow', 'late-reads'],
  ['stop-node', 'stop-back-end', 'kill-node', 'kill-back-end', 'restart-node'],
  ['flush-redis', 'kill-redis', 'pause-redis'],
  ['restart-postgres', 'kill-postgres', 'standby-postgres', 'failover-postgres'],
] as const;
type FaultKind = (typeof FAMILIES)[number][number];

export interface Fault {
  kind: FaultKind;
  /** The links or the processes that it affects. */
  on: readonly string[];
  /** The time after the beginning of its episode. */
  afterMs: number;
  forMs: number;
  /**
   * For links: whether the connections break at its end. For a failover: whether the history that follows has more transactions than the
   * lost one.
   */
  reset: boolean;
  /** How often processes are suspended. */
  times: number;
  /** The delay of slow links. */
  slowMs: number;
}

/** Faults that come together, and the quiet time after they have ended. */
export interface Episode {
  faults: Fault[];
  quietMs: number;
}

export interface Stage {
  nodes: readonly string[];
  backEnds: readonly string[];
  /** Links, by where they lead. */
  links: Readonly<Record<'postgres' | 'redis' | 'feed', readonly string[]>>;
  leaseMs: number;
}

/** An endless list of episodes. The seed decides what happens when, to whom, and for how long. */
export function* episodes(seed: number, stage: Stage): Generator<Episode, never> {
  const random = new Random(seed);
  let bag: FaultKind[] = [];
  for (;;) {
    const faults: Fault[] = [];
    const taken = new Set<string>();
    const count = random.pick([1, 1, 2, 2, 3]);
    for (let i = 0; i < count; i++) {
      if (bag.length === 0) bag = fullBag(random);
      // A fault that would affect the same link or process twice at once comes first in the next episode.
      const kind = bag.at(-1) as FaultKind;
      const on = targets(random, stage, kind);
      const hit = kind.endsWith('-postgres') ? ['postgres', ...on] : on;
      if (hit.some((name) => taken.has(name))) break;
      bag.pop();
      for (const name of hit) taken.add(name);
      faults.push({
        kind,
        on,
        afterMs: i === 0 ? 0 : random.between(0, 1000),
        forMs: lasts(random, stage, kind),
        reset: random.chance(0.4),
        times: random.pick([1, 1, 2, 4]),
        slowMs: random.pick([5, 30, 150, 400]),
      });
    }
    // Now and then there is no fault for so long that all effects of earlier faults are over.
    yield { faults, quietMs: random.chance(0.25) ? random.between(2500, 5000) : random.between(300, 1500) };
  }
}

/** All kinds. The ones at the end are used first, and belong to all families, so a short run has some of each. */
function fullBag(random: Random): FaultKind[] {
  const families = shuffled(random, FAMILIES).map((kinds) => shuffled<FaultKind>(random, kinds));
  const first = families.flatMap((kinds) => kinds.splice(0, 1));
  return [...shuffled(random, families.flat()), ...first];
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const rest = list.slice();
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(random.below(rest.length), 1));
  return result;
}

function targets(random: Random, stage: Stage, kind: FaultKind): string[] {
  if (kind.endsWith('-node')) return some(random, stage.nodes);
  if (kind.endsWith('-back-end')) return [random.pick(stage.backEnds)];
  if (kind.endsWith('-redis')) return ['redis'];
  // Some nodes stay at the primary, where logouts are confirmed.
  if (kind === 'standby-postgres')
    return shuffled(random, stage.links.postgres).slice(random.chance(0.5) ? 1 : 2);
  // The other nodes acknowledge at once what this node does not know yet.
  if (kind === 'late-reads') return [random.pick(stage.links.postgres)];
  if (kind.endsWith('-postgres')) return ['postgres'];
  return some(random, stage.links[random.pick(['postgres', 'redis', 'feed', 'feed'] as const)]);
}

/** Mostly one; sometimes several or all. */
function some(random: Random, list: readonly string[]): string[] {
  return shuffled(random, list).slice(0, random.chance(0.6) ? 1 : 1 + random.below(list.length));
}

function lasts(random: Random, stage: Stage, kind: FaultKind): number {
  const { leaseMs } = stage;
  switch (kind) {
    case 'stop-node':
    case 'stop-back-end':
      // Shorter than the lease, longer than it, and sometimes longer than the others wait for a silent node.
      return random.pick([0.3, 0.5, 1.2, 1.6, 2.5, 6]) * leaseMs;
    case 'flush-redis':
      return 0;
    case 'restart-postgres':
    case 'kill-postgres':
    case 'kill-redis':
    case 'kill-node':
    case 'kill-back-end':
      // The time until it is started again. It then needs time to become ready.
      return random.between(0, 1200);
    case 'restart-node':
      return 0;
    case 'standby-postgres':
      // Longer than any node trusts what it read before.
      return random.between(4, 7) * leaseMs;
    case 'late-reads':
      return random.between(3, 5) * leaseMs;
    default:
      return random.between(0.3, 4) * leaseMs;
  }
}
