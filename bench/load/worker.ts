import { runClosedLoop, type ClosedLoopPlan } from './closed-loop.ts';
import { runEffect, type EffectPlan } from './effect.ts';
import { runOpenLoop, type OpenLoopPlan } from './open-loop.ts';

/** The load runs in a process of its own, so that it can be given a core of its own. */
export type Job =
  | { kind: 'closed'; plan: ClosedLoopPlan }
  | { kind: 'open'; plan: OpenLoopPlan }
  | { kind: 'effect'; plan: EffectPlan };

function run(job: Job): Promise<unknown> {
  if (job.kind === 'closed') return runClosedLoop(job.plan);
  if (job.kind === 'open') return runOpenLoop(job.plan);
  return runEffect(job.plan);
}

process.on('message', (job: Job) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });
