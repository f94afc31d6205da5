import type { Ring } from '@curfew/protocol/node';
import type { NodeProcess } from './node-process.ts';
import type { Simulation } from './simulation.ts';

/** Rings between the nodes: lost, late, twice, in any order, or only one way. */
export class Doorbell {
  /** "from>to" pairs that nothing gets through between, until an instant. */
  readonly cuts: Map<string, number> = new Map();
  readonly #sim: Simulation;

  constructor(sim: Simulation) {
    this.#sim = sim;
  }

  ring(from: NodeProcess, message: Ring): void {
    const { truth, world, plan } = this.#sim;
    const { random } = world;
    const to = 'to' in message ? truth.nodes.find((node) => node.name === message.to) : undefined;
    from.says(message, to);
    const early = world.nowMs < plan.healMs;
    // Everybody hears everything, as on one channel.
    for (const node of truth.nodes) {
      if (node.process.dead || node === from) continue;
      if ((this.cuts.get(`${from.name}>${node.name}`) ?? 0) > world.nowMs) continue;
      if (early && plan.has('ring-loss') && random.chance(0.2)) continue;
      const times = early && plan.has('ring-duplicates') && random.chance(0.3) ? 2 : 1;
      for (let i = 0; i < times; i++) {
        const late = early && plan.has('ring-delays') && random.chance(0.2);
        const delayMs = late ? random.between(0, 2) * plan.leaseMs : random.between(0.1, 1);
        world.after(delayMs, () => node.process.deliver(() => node.node.heard(message)));
      }
    }
  }
}
