import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Curfew } from '../candidates/curfew.ts';
import { request, startNode, type Child } from '../machine/children.ts';
import { LOAD_CORE } from '../machine/cores.ts';
import type { FloorPlan, LogoutPlan, LogoutTimes } from './logouts.ts';
import type { ColdPlan, HotPlan, HotResult, Job, State } from './worker.ts';

/** As few connections as this are one process; a service has several instances, but not a thousand processes. */
const PER_PROCESS = 25;
const MOST_PROCESSES = 4;
/** The default lease and its margin: so long a logout waits for a verifier that has left. */
const LEASE_OVER_MS = 1200;

/** Real verifiers in processes of their own. The first process is also the client that logs out. */
export class Crowd {
  readonly #children: Child[];

  private constructor(children: Child[]) {
    this.#children = children;
  }

  static async start(verifiers: number, core: number = LOAD_CORE): Promise<Crowd> {
    const script = fileURLToPath(new URL('./worker.ts', import.meta.url));
    const processes = Math.min(MOST_PROCESSES, Math.max(1, Math.ceil(verifiers / PER_PROCESS)));
    const children = Array.from({ length: verifiers > 1 ? Math.max(2, processes) : 1 }, () =>
      startNode(['--conditions=curfew-source', script], { core, role: 'verifiers', waitForReady: true }),
    );
    return new Crowd(await Promise.all(children));
  }

  /** Opens verifiers, spread over the nodes and over the processes, and waits until all are fresh. */
  async open(nodes: Curfew[], count: number): Promise<void> {
    const [node] = nodes;
    if (node === undefined) throw new Error('no node to follow');
    const each = this.#children.map((_, i) => Math.floor((count + i) / this.#children.length)).toReversed();
    const answers = await this.#all<{ ready: number }>((i) => ({
      kind: 'open',
      // Each process begins with another node, so that a few verifiers are also on different nodes.
      authorities: nodes.map((_, at) => address(nodes[(at + i) % nodes.length] as Curfew)),
      serviceKey: node.serviceKey,
      audience: node.issuer,
      count: each[i] ?? 0,
    }));
    const ready = answers.reduce((sum, answer) => sum + answer.ready, 0);
    if (ready !== count) throw new Error(`${ready} of ${count} verifiers became fresh`);
  }

  /** Closes them, and waits until no logout waits for them any more. */
  async close(): Promise<void> {
    await this.#all(() => ({ kind: 'close' }));
    await sleep(LEASE_OVER_MS);
  }

  /** How often a sample of the verifiers of every process accepted the texts. */
  async accepted(texts: string[], verifiersEach: number): Promise<number> {
    const answers = await this.#all<{ accepted: number }>(() => ({
      kind: 'check',
      texts,
      verifiers: verifiersEach,
    }));
    return answers.reduce((sum, { accepted }) => sum + accepted, 0);
  }

  async state(): Promise<State> {
    const states = await this.#all<State>(() => ({ kind: 'state' }));
    const sum = (name: keyof State): number => states.reduce((total, state) => total + state[name], 0);
    return { verifiers: sum('verifiers'), fresh: sum('fresh'), cpuSeconds: sum('cpuSeconds') };
  }

  logouts(plan: LogoutPlan): Promise<LogoutTimes> {
    return this.#first({ kind: 'logouts', plan });
  }

  /** The first process sends requests to a floor, as it sends logouts. */
  floor(plan: FloorPlan): Promise<Pick<LogoutTimes, 'committedP50' | 'committedP99' | 'problems'>> {
    return this.#first({ kind: 'floor', plan });
  }

  hot(plan: HotPlan): Promise<HotResult> {
    return this.#first({ kind: 'hot', plan });
  }

  cold(plan: ColdPlan): Promise<HotResult> {
    return this.#first({ kind: 'cold', plan });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  #first<Result>(job: Job): Promise<Result> {
    return request<Result>(this.#children[0] as Child, job);
  }

  #all<Result>(job: (i: number) => Job): Promise<Result[]> {
    return Promise.all(this.#children.map((child, i) => request<Result>(child, job(i))));
  }
}

const address = (node: Curfew): string => `http://127.0.0.1:${node.port}`;
