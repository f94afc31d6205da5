import type { Ending } from '@curfew/protocol/ending';
import {
  decodeNodeMessage,
  decodeVerifierMessage,
  encodeNodeMessage,
  inVersion1,
  type NodeMessage,
  type VerifierMessage,
} from '@curfew/protocol/feed-messages';
import { isOfVersion1 } from '@curfew/protocol/replica';
import type { Subscription } from '@curfew/protocol/publisher';
import type { Plan } from './plan.ts';
import type { Process } from './process.ts';
import type { World } from './world.ts';

interface Direction {
  /** Messages arrive in order: none arrives before this. */
  lastMs: number;
  /** No message passes before this. */
  cutUntilMs: number;
  sent: number;
}

/** What a connection needs from its surroundings. */
export interface Network {
  readonly world: World;
  readonly plan: Plan;
  isOld(ending: Ending): boolean;
}

/** The end of a connection at a node. */
interface NodeEnd {
  readonly name: string;
  readonly process: Process;
  readonly connections: Set<Connection>;
  readonly published: readonly (readonly Ending[])[];
  failNow(): void;
  hears(connection: Connection, message: VerifierMessage): void;
  lost(connection: Connection): void;
}

/** The end of a connection at a verifier. */
interface VerifierEnd {
  readonly name: string;
  readonly version: number;
  readonly process: Process;
  holds(ending: Ending): boolean;
  hears(connection: Connection, message: NodeMessage): void;
  lost(connection: Connection): void;
}

/** One WebSocket with its two ends. Each end may believe that it is open when it is not. */
export class Connection {
  readonly node: NodeEnd;
  readonly verifier: VerifierEnd;
  nodeOpen = true;
  verifierOpen = true;
  feed: Subscription | null = null;
  /** The acknowledgements up to this number are judged. */
  #seenSeq = 0;
  readonly #sim: Network;
  readonly #toNode: Direction = { lastMs: 0, cutUntilMs: 0, sent: 0 };
  readonly #toVerifier: Direction = { lastMs: 0, cutUntilMs: 0, sent: 0 };

  constructor(sim: Network, node: NodeEnd, verifier: VerifierEnd) {
    this.#sim = sim;
    this.node = node;
    this.verifier = verifier;
    node.connections.add(this);
  }

  toNode(message: VerifierMessage): void {
    if (!this.verifierOpen) return;
    if (message.t === 'ack') this.#acknowledges(message.seq);
    const arrived = this.#sim.plan.has('codec') ? decodeVerifierMessage(JSON.stringify(message)) : message;
    this.#send(this.#toNode, this.node.process, true, () => {
      if (this.nodeOpen) this.node.hears(this, arrived);
    });
  }

  /** A verifier that acknowledges an ending holds it. */
  #acknowledges(seq: number): void {
    const { published, name } = this.node;
    while (this.#seenSeq < Math.min(seq, published.length - 1)) {
      for (const ending of published[++this.#seenSeq] ?? [])
        if (!this.#sim.isOld(ending) && this.#understands(ending) && !this.verifier.holds(ending))
          throw this.#sim.world.broken(
            'acknowledged',
            `${this.verifier.name} acknowledges ${seq} of ${name} and does not hold ${ending.position}`,
          );
    }
  }

  #understands({ cuts }: Ending): boolean {
    return this.verifier.version > 1 || cuts.every(({ key }) => isOfVersion1(key));
  }

  toVerifier(message: NodeMessage): void {
    if (!this.nodeOpen) return;
    const sent = this.verifier.version === 1 ? inVersion1(message) : message;
    const arrived = this.#sim.plan.has('codec') ? decodeNodeMessage(encodeNodeMessage(sent)) : sent;
    const numbered = message.t === 'ending' || message.t === 'renewed';
    if (numbered) this.node.failNow();
    this.#send(this.#toVerifier, this.verifier.process, numbered, () => {
      if (this.verifierOpen) this.verifier.hears(this, arrived);
    });
  }

  /** @param numbered whether it has a number of its own, which tells a second one from the first */
  #send(direction: Direction, to: Process, numbered: boolean, arrive: () => void): void {
    const { world, plan } = this.#sim;
    const { random, nowMs } = world;
    const early = nowMs < plan.healMs;
    let delayMs = random.between(0.1, 1);
    if (early && plan.has('feed-delays') && random.chance(0.08))
      delayMs = random.between(0, 1.5) * plan.leaseMs;
    let atMs = Math.max(nowMs + delayMs, direction.cutUntilMs);
    const disorder = early && plan.has('feed-disorder');
    if (!disorder || random.chance(0.7)) atMs = Math.max(atMs, direction.lastMs);
    direction.lastMs = Math.max(direction.lastMs, atMs);
    world.after(atMs - nowMs, () => to.deliver(arrive));
    if (disorder && numbered && random.chance(0.2))
      world.after(atMs - nowMs + random.between(0, 0.5) * plan.leaseMs, () => to.deliver(arrive));
  }

  /** Packets are lost for a while, in one direction or both. TCP repeats them, so all arrive late. */
  cut(ms: number, toNode: boolean, toVerifier: boolean): void {
    const untilMs = this.#sim.world.nowMs + ms;
    if (toNode) this.#toNode.cutUntilMs = untilMs;
    if (toVerifier) this.#toVerifier.cutUntilMs = untilMs;
  }

  /** One end closes it, and the other learns of it soon, or late if the connection is half-open. */
  end(by: 'node' | 'verifier', silent = false): void {
    const { world, plan } = this.#sim;
    const late = silent || (world.nowMs < plan.healMs && plan.has('half-open') && world.random.chance(0.4));
    const hearsMs = late ? world.random.between(0.2, 4) * plan.leaseMs : world.random.between(0.1, 2);
    if (by === 'node') {
      if (this.nodeOpen) {
        this.nodeOpen = false;
        this.node.lost(this);
      }
      const cutMs = Math.max(hearsMs, this.#toVerifier.lastMs - world.nowMs);
      world.after(cutMs, () => this.verifier.process.deliver(() => this.closeAtVerifier()));
    } else {
      this.verifierOpen = false;
      const cutMs = Math.max(hearsMs, this.#toNode.lastMs - world.nowMs);
      world.after(cutMs, () => this.node.process.deliver(() => this.#closeAtNode()));
    }
  }

  /** It breaks in the middle, and both ends learn of it at different times. */
  breakOff(): void {
    const { world, plan } = this.#sim;
    const soonMs = (): number =>
      plan.has('half-open') && world.random.chance(0.4)
        ? world.random.between(0, 4) * plan.leaseMs
        : world.random.between(0, 3);
    // From now on nothing passes.
    this.cut(1e12, true, true);
    world.after(soonMs(), () => this.node.process.deliver(() => this.#closeAtNode()));
    world.after(soonMs(), () => this.verifier.process.deliver(() => this.closeAtVerifier()));
  }

  #closeAtNode(): void {
    if (!this.nodeOpen) return;
    this.nodeOpen = false;
    this.node.lost(this);
  }

  closeAtVerifier(): void {
    if (!this.verifierOpen) return;
    this.verifierOpen = false;
    this.verifier.lost(this);
  }
}
