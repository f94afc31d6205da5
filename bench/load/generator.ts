import { fileURLToPath } from 'node:url';
import { request, startNode, type Child } from '../machine/children.ts';
import { LOAD_CORE } from '../machine/cores.ts';
import type { ClosedLoopPlan } from './closed-loop.ts';
import type { EffectPlan, EffectTimes } from './effect.ts';
import type { LoadFigures } from './figures.ts';
import type { OpenLoopPlan } from './open-loop.ts';
import type { Job } from './worker.ts';

/** The benchmark's own load generator, in its own process on the load's core. */
export class Generator {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(): Promise<Generator> {
    const script = fileURLToPath(new URL('./worker.ts', import.meta.url));
    return new Generator(await startNode([script], { core: LOAD_CORE, role: 'load', waitForReady: true }));
  }

  closedLoop(plan: ClosedLoopPlan): Promise<LoadFigures> {
    return this.#run({ kind: 'closed', plan });
  }

  openLoop(plan: OpenLoopPlan): Promise<LoadFigures> {
    return this.#run({ kind: 'open', plan });
  }

  effect(plan: EffectPlan): Promise<EffectTimes[]> {
    return this.#run({ kind: 'effect', plan });
  }

  #run<Result>(job: Job): Promise<Result> {
    return request<Result>(this.#child, job);
  }
}
