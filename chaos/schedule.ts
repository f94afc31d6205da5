import { Random } from '../simulator/random.ts';

/** The kinds of faults, by what they befall. Each comes up as often as the others. */
const FAMILIES = [
  ['cut', 'hole', 'hole-up', 'hole-down', 'slow', 'late-reads'],
  ['stop-node', 'stop-back-end', 'kill-node', 'kill-back-end', 'restart-node'],
  ['flush-redis', 'kill-redis', 'pause-redis'],
  ['restart-postgres', 'kill-postgres', 'standby-postgres', 'failover-postgres'],
] as const;
type FaultKind = (typeof FAMILIES)[number][number];

export interface Fault {
  kind: FaultKind;
  /** The links, or the processes, that it is done to. */
  on: readonly string[];
  /** After the beginning of its episode. */
  afterMs: number;
  forMs: number;
  /**
   * Of links: the connections are thrown away when it is over. Of a failover: the history that follows is the longer one, by its
   * transactions, and not the lost one.
   */
  reset: boolean;
  /** Of processes that are stopped: how often. */
  times: number;
  /** Of slow links. */
  slowMs: number;
}

/** Faults that come together, and the quiet time that follows when all are healed. */
export interface Episode {
  faults: Fault[];
  quietMs: number;
}

export interface Stage {
  nodes: readonly string[];
  backEnds: readonly string[];
  /** Links by what they lead to. */
  links: Readonly<Record<'postgres' | 'redis' | 'feed', readonly string[]>>;
  leaseMs: number;
}

/** Episodes without end, decided by the seed: what comes when, to whom, and for how long. */
export function* episodes(seed: number, stage: Stage): Generator<Episode, never> {
  const random = new Random(seed);
  let bag: FaultKind[] = [];
  for (;;) {
    const faults: Fault[] = [];
    const taken = new Set<string>();
    const count = random.pick([1, 1, 2, 2, 3]);
    for (let i = 0; i < count; i++) {
      if (bag.length === 0) bag = fullBag(random);
      // What would hit the same twice at once comes first in the next episode.
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
    // Now and then all is well for long enough that everything is as on a calm day.
    yield { faults, quietMs: random.chance(0.25) ? random.between(2500, 5000) : random.between(300, 1500) };
  }
}

/** All kinds. Those that are taken first, from the end, are of all families: so a short run has something of each. */
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
  // Some stay at the primary, where logouts are confirmed.
  if (kind === 'standby-postgres')
    return shuffled(random, stage.links.postgres).slice(random.chance(0.5) ? 1 : 2);
  // The others acknowledge at once what this one does not know yet.
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
      // So short that the lease lives on, longer than it, and sometimes longer than a silent node is waited for.
      return random.pick([0.3, 0.5, 1.2, 1.6, 2.5, 6]) * leaseMs;
    case 'flush-redis':
      return 0;
    case 'restart-postgres':
    case 'kill-postgres':
    case 'kill-redis':
    case 'kill-node':
    case 'kill-back-end':
      // Until it is started again; becoming ready takes its own time.
      return random.between(0, 1200);
    case 'restart-node':
      return 0;
    case 'standby-postgres':
      // Longer than anybody trusts what was read before.
      return random.between(4, 7) * leaseMs;
    case 'late-reads':
      return random.between(3, 5) * leaseMs;
    default:
      return random.between(0.3, 4) * leaseMs;
  }
}
