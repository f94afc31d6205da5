import { type Ring, RingTexts } from '@curfew/protocol/rings';
import type { Authenticator } from '@curfew/protocol/sealed';
import { type Channel, Forger } from './forger.ts';
import type { NodeProcess } from './node-process.ts';

/** Only nodes compute it, which is all that the simulation needs of a key. */
const AUTHENTICATOR: Authenticator = {
  sign(text) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    return (hash >>> 0).toString(36);
  },
  verifies: (text, mac) => AUTHENTICATOR.sign(text) === mac,
};

/** Rings between the nodes: lost, late, repeated, in any order, or in one direction only; and the messages of a stranger. */
export class Doorbell {
  /** The "from>to" pairs that are cut until an instant. */
  readonly cuts: Map<string, number> = new Map();
  readonly #sim: Channel;
  readonly #texts = new WeakMap<NodeProcess, RingTexts>();
  readonly #forger: Forger;

  constructor(sim: Channel) {
    this.#sim = sim;
    this.#forger = new Forger(sim, (to, text) => this.#deliver(to, text, 0));
  }

  ring(from: NodeProcess, message: Ring): void {
    const { nodes, world, plan } = this.#sim;
    const { random } = world;
    const to = 'to' in message ? nodes.find((node) => node.name === message.to) : undefined;
    from.says(message, to);
    const text = this.#textsOf(from).write(message);
    const early = world.nowMs < plan.healMs;
    // Every process gets every message, as on one channel.
    for (const node of nodes) {
      if (node.process.dead || node === from) continue;
      if ((this.cuts.get(`${from.name}>${node.name}`) ?? 0) > world.nowMs) continue;
      if (early && plan.has('ring-loss') && random.chance(0.2)) continue;
      const times = early && plan.has('ring-duplicates') && random.chance(0.3) ? 2 : 1;
      for (let i = 0; i < times; i++) {
        const late = early && plan.has('ring-delays') && random.chance(0.2);
        const delayMs = late ? random.between(0, 2) * plan.leaseMs : random.between(0.1, 1);
        world.after(delayMs, () => this.#deliver(node, text, i));
      }
    }
    this.#forger.hears(text, from);
  }

  /** @param way a repeated message comes by two ways, as by Redis and by the database */
  #deliver(to: NodeProcess, text: string, way: number): void {
    to.process.deliver(() => {
      const message = this.#textsOf(to).read(text, `way ${way}`);
      if (typeof message !== 'string') to.node.heard(message);
    });
  }

  #textsOf(node: NodeProcess): RingTexts {
    const texts = this.#texts.get(node) ?? new RingTexts(AUTHENTICATOR);
    this.#texts.set(node, texts);
    return texts;
  }
}
