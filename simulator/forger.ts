import type { NodeProcess } from './node-process.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import type { World } from './world.ts';

/** The channel on which the nodes hear one another. */
export interface Channel {
  readonly world: World;
  readonly plan: Plan;
  readonly nodes: readonly NodeProcess[];
}

/** Texts that it keeps for later use. */
const KEPT = 60;

/**
 * A stranger on the nodes' channel. It hears everything, sends anything to any node, is faster than any node, and has no key. Its random
 * stream is separate, so that a seed gives the same course with and without it.
 */
export class Forger {
  readonly #sim: Channel;
  readonly #say: (to: NodeProcess, text: string) => void;
  readonly #random: Random;
  readonly #there: boolean;
  readonly #heard: string[] = [];
  #n = 1e6;

  constructor(sim: Channel, say: (to: NodeProcess, text: string) => void) {
    this.#sim = sim;
    this.#say = say;
    this.#random = new Random(sim.plan.seed ^ 0x1f83d9ab);
    this.#there = this.#random.chance(0.5);
  }

  hears(text: string, from: NodeProcess): void {
    if (!this.#there) return;
    const random = this.#random;
    this.#heard.push(text);
    if (this.#heard.length > KEPT) this.#heard.splice(random.below(KEPT), 1);
    const ring = /"ring":(\d+)/.exec(text)?.[1];
    if (ring !== undefined)
      // Answers a ring in the name of all others.
      for (const other of this.#sim.nodes)
        if (other !== from && !other.process.dead)
          this.#later(from, this.#answer(ring, other.name, from.name));
    // Acknowledges in the name of all others.
    const { from: who, to } =
      /"ack":\d+,"from":"(?<from>[^"]*)","to":"(?<to>[^"]*)"/.exec(text)?.groups ?? {};
    const asked = this.#sim.nodes.find((node) => node.name === to);
    if (asked && text.includes('"over":true'))
      for (const other of this.#sim.nodes)
        if (other !== from && other !== asked && !other.process.dead)
          this.#later(asked, text.replace(`"from":"${who}"`, `"from":"${other.name}"`));
    // Repeats an earlier text to any node.
    if (random.chance(0.2)) this.#later(random.pick(this.#sim.nodes), random.pick(this.#heard));
    if (random.chance(0.05))
      this.#later(from, random.pick(['null', '{"ring":1}', '{"changed":null,"from":"x"}', ',"mac":""}']));
  }

  /** Forges an acknowledgement, or changes members of a real one. */
  #answer(ring: string, from: string, to: string): string {
    const random = this.#random;
    const recorded = this.#heard.filter((text) => text.includes('"ack"') && text.includes('"over":true'));
    if (recorded.length === 0 || random.chance(0.2))
      return `{"ack":${ring},"from":"${from}","to":"${to}","over":true,"acknowledged":0,"missing":0,"n":${++this.#n},"mac":"x"}`;
    const said = (of: string, about: string): string | undefined =>
      recorded.find((text) => text.includes(`"from":"${of}","to":"${about}"`));
    // The smaller the change, the more a MAC must cover.
    const close =
      random.pick([
        () => said(from, to),
        () => recorded.find((text) => text.startsWith(`{"ack":${ring},"from":"${from}"`)),
        () => recorded.find((text) => text.startsWith(`{"ack":${ring},`) && text.includes(`"to":"${to}"`)),
        () => recorded[0],
      ])() ?? random.pick(recorded);
    return close
      .replace(/"ack":\d+/, `"ack":${ring}`)
      .replace(/"from":"[^"]*"/, `"from":"${from}"`)
      .replace(/"to":"[^"]*"/, `"to":"${to}"`);
  }

  #later(to: NodeProcess, text: string): void {
    const { world, plan } = this.#sim;
    const random = this.#random;
    const delayMs = random.chance(0.6) ? random.between(0, 0.1) : random.between(0, 3) * plan.leaseMs;
    world.after(delayMs, () => this.#say(to, text));
  }
}
