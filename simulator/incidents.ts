import type { Database } from './database.ts';
import type { Doorbell } from './doorbell.ts';
import type { NodeProcess } from './node-process.ts';
import type { Plan } from './plan.ts';
import { mayChangeClocks } from './process.ts';
import type { Statement } from './statements.ts';
import type { Truth } from './truth.ts';
import type { VerifierProcess } from './verifier-process.ts';
import type { World } from './world.ts';

/** What the faults affect. */
interface Stage {
  readonly world: World;
  readonly plan: Plan;
  readonly database: Database;
  readonly truth: Truth;
  readonly doorbell: Doorbell;
  readonly liveNodes: NodeProcess[];
  readonly liveVerifiers: VerifierProcess[];
  /** By how much the clock that dates tokens has been moved. */
  authorityMs: number;
  anyNode(): NodeProcess | null;
  startNode(): void;
  startVerifier(): void;
}

/** Lets the faults of the plan happen until the simulation heals. */
export function startIncidents(sim: Stage): void {
  const { world, plan } = sim;
  const again = (): void => {
    world.after(world.random.between(0.05, 1.2) * plan.leaseMs, () => {
      if (world.nowMs >= plan.healMs) return;
      again();
      incident(sim);
    });
  };
  again();
  registryTrouble(sim);
  if (plan.has('lives')) changeLives(sim);
}

/** Lengthens and shortens the life of access tokens. Nodes take up a shorter one when they start again. */
function changeLives(sim: Stage): void {
  const { world, plan, truth } = sim;
  const { random } = world;
  world.after(random.between(0.5, 4) * plan.leaseMs, () => {
    if (world.nowMs >= plan.healMs) return;
    changeLives(sim);
    const node = sim.anyNode();
    if (!node) return;
    truth.tokenLifeMs = truth.tokenLifeMs === plan.tokenLifeMs ? plan.longerLifeMs : plan.tokenLifeMs;
    world.note('database', () => `gives access tokens a life of ${truth.tokenLifeMs.toFixed(0)}`);
    node.process.deliver(() => node.learnTokenLife());
    if (truth.tokenLifeMs === plan.longerLifeMs || random.chance(0.3)) return;
    for (const one of sim.liveNodes.filter(({ retiring }) => !retiring)) {
      kill(one);
      world.after(random.between(0, 0.5) * plan.leaseMs, () => sim.startNode());
    }
  });
}

function incident(sim: Stage): void {
  const { world, plan } = sim;
  const { random } = world;
  const lease = plan.leaseMs;
  const untilHeal = (ms: number): number => Math.max(0, Math.min(ms, plan.healMs - world.nowMs));
  const processes = [...sim.liveNodes, ...sim.liveVerifiers];
  if (processes.length === 0) return;
  const { process } = random.pick(processes);
  const [one, other] = [sim.anyNode(), sim.anyNode()];
  const fault = plan.faults.length > 0 ? random.pick(plan.faults) : null;
  switch (fault) {
    case 'stops':
    case 'sleeps': {
      if (fault === 'sleeps' && !mayChangeClocks(process)) return;
      if (!process.suspend(fault === 'sleeps')) return;
      world.after(untilHeal(random.between(0.05, random.chance(0.3) ? 7 : 2) * lease), () =>
        process.resume(),
      );
      return;
    }
    case 'wall-jumps':
      if (one && random.chance(0.3)) return age(sim, one);
      if (mayChangeClocks(process))
        process.jump(random.between(-1, 1) * random.pick([100, lease, 7_200_000]));
      return;
    case 'authority-jumps':
      sim.authorityMs += random.between(-7_200_000, 7_200_000);
      return;
    case 'crashes':
      return crash(sim);
    case 'closings':
      return close(sim);
    case 'partitions': {
      if (!one || !other || one === other) return;
      const untilMs = world.nowMs + untilHeal(random.between(0, 3) * lease);
      sim.doorbell.cuts.set(`${one.name}>${other.name}`, untilMs);
      if (random.chance(0.5)) sim.doorbell.cuts.set(`${other.name}>${one.name}`, untilMs);
      return;
    }
    case 'outages':
      return sim.database.fail(untilHeal(random.between(0, 2) * lease), random.chance(0.5));
    case 'going-back':
      return goBack(sim);
    case 'cut-offs':
      if (one) cutOff(sim, one);
      return;
    case 'feed-breaks':
    case 'half-open': {
      const connections = sim.liveVerifiers.flatMap(({ connection }) => (connection ? [connection] : []));
      if (connections.length === 0) return;
      const connection = random.pick(connections);
      world.note('network', () => `troubles ${connection.node.name} and ${connection.verifier.name}`);
      if (random.chance(0.4)) return connection.breakOff();
      const way = random.below(3);
      return connection.cut(untilHeal(random.between(0, 3) * lease), way !== 0, way !== 1);
    }
    default:
  }
}

/** A node's knowledge looks older than it was, while what it sends to a verifier is late, though not what the verifier sends. */
function age({ world, plan }: Stage, { process, connections }: NodeProcess): void {
  const { random } = world;
  if (!mayChangeClocks(process)) return;
  process.jump(random.between(0.4, 0.95) * plan.leaseMs);
  const untilMs = Math.min(plan.leaseMs, plan.healMs - world.nowMs);
  for (const connection of connections) connection.cut(untilMs, false, true);
}

function cutOff(sim: Stage, node: NodeProcess): void {
  const { world, plan, database } = sim;
  const { random } = world;
  const untilMs = Math.min(world.nowMs + random.between(0, 9) * plan.leaseMs, plan.healMs);
  if (random.chance(0.4)) {
    node.process.cutOffUntilMs = untilMs;
    return;
  }
  const kind = random.pick<Statement>(['beat', 'beat', 'beat', 'log', 'nodes', 'register']);
  database.statements.troubles.push({
    process: node.process,
    kind,
    fromMs: world.nowMs,
    untilMs,
    slow: false,
  });
}

/** A node's beats are lost while it reads the log as before. Before and after that the database is slow. */
function registryTrouble(sim: Stage): void {
  const { world, plan, database } = sim;
  const { random } = world;
  if (!plan.registry || !plan.has('cut-offs')) return;
  const lease = plan.leaseMs;
  world.after(random.between(0.3, 2) * lease, () => {
    const node = sim.anyNode();
    if (!node) return;
    const { process } = node;
    const fromMs = world.nowMs + 3 * lease;
    const untilMs = Math.min(fromMs + random.between(5, 12) * lease, plan.healMs);
    database.statements.troubles.push({ process, kind: 'beat', fromMs, untilMs, slow: false });
    if (random.chance(0.5)) {
      const { nowMs } = world;
      database.statements.troubles.push({
        process,
        kind: 'beat',
        fromMs: nowMs,
        untilMs: fromMs,
        slow: true,
      });
    } else
      for (const other of sim.liveNodes)
        if (other !== node)
          database.statements.troubles.push({
            process: other.process,
            kind: 'nodes',
            fromMs: world.nowMs,
            untilMs: fromMs,
            slow: true,
          });
    const againMs = untilMs + random.between(0, 1.5) * lease;
    database.statements.troubles.push({
      process,
      kind: 'log',
      fromMs: againMs,
      untilMs: Math.min(againMs + lease, plan.healMs),
      slow: true,
    });
  });
}

function crash(sim: Stage): void {
  const { world, plan } = sim;
  const { random } = world;
  const restartMs = Math.min(random.between(0, 3) * plan.leaseMs, Math.max(0, plan.healMs - world.nowMs));
  if (random.chance(0.6)) {
    const node = sim.anyNode();
    if (!node) return;
    kill(node);
    world.after(restartMs, () => sim.startNode());
  } else if (sim.liveVerifiers.length > 0) {
    const verifier = random.pick(sim.liveVerifiers);
    verifier.process.kill();
    verifier.connection?.end('verifier');
    world.after(restartMs, () => sim.startVerifier());
  }
}

/** The nodes may be stopped before an older copy is restored. Then no node knows the lost history. */
function goBack(sim: Stage): void {
  const downMs = sim.database.goBack();
  if (downMs === null) return;
  for (const node of sim.liveNodes) {
    kill(node);
    sim.world.after(downMs, () => sim.startNode());
  }
}

function kill(node: NodeProcess): void {
  node.process.kill();
  for (const connection of node.connections) connection.end('node');
}

function close(sim: Stage): void {
  const { world, plan } = sim;
  const node = sim.anyNode();
  if (!node) return;
  node.process.deliver(() => node.close());
  const restartMs = Math.min(
    world.random.between(0, 2) * plan.leaseMs,
    Math.max(0, plan.healMs - world.nowMs),
  );
  world.after(restartMs, () => sim.startNode());
}
