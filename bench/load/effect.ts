import { performance } from 'node:perf_hooks';
import { Connection } from './connection.ts';
import { isSuccess } from './figures.ts';

export interface EffectSample {
  logout: string;
  /** Asks with another session of the same user, again and again, while the logout is under way. */
  watch: string;
  /** After the answer of the logout, this asks with every session that must be over. */
  over: string[];
}

export interface EffectPlan {
  port: number;
  samples: EffectSample[];
}

export interface EffectTimes {
  /** From sending the logout to its answer. */
  answerMs: number;
  /** From sending the logout to the first refusal of the watched session, as its client sees it. */
  effectMs: number;
  logoutStatus: number;
  /** How many of `over` were still accepted after the answer: every one is a broken promise. */
  acceptedAfter: number;
}

/** One logout at a time on a quiet server, watched from a second connection. */
export async function runEffect(plan: EffectPlan): Promise<EffectTimes[]> {
  const actor = new Connection(plan.port);
  const watcher = new Connection(plan.port);
  const verifiers = Array.from({ length: 16 }, () => new Connection(plan.port));
  const all = [actor, watcher, ...verifiers];
  const times: EffectTimes[] = [];
  try {
    await Promise.all(all.map((connection) => connection.open()));
    for (const sample of plan.samples) {
      const time = await watchLogout(sample, actor, watcher, verifiers);
      times.push(time);
      // One logout without effect voids the figure. To wait as long for each of the others would show nothing more.
      if (!Number.isFinite(time.effectMs)) break;
    }
  } finally {
    for (const connection of all) connection.close();
  }
  return times;
}

async function watchLogout(
  sample: EffectSample,
  actor: Connection,
  watcher: Connection,
  verifiers: Connection[],
): Promise<EffectTimes> {
  const logout = Buffer.from(sample.logout, 'latin1');
  const watch = Buffer.from(sample.watch, 'latin1');
  // This checks the watched session before the logout too: a credential that never worked would look like a fast logout.
  const before = await watcher.ask(watch);
  if (!isSuccess(before.status))
    throw new Error(`the watched session answered ${before.status} before its logout`);

  const start = performance.now();
  const answer = actor.ask(logout).then(({ status }) => ({ status, at: performance.now() }));
  let refusedAt = 0;
  const giveUp = start + 10_000;
  for (let now = start; refusedAt === 0 && now < giveUp; now = performance.now()) {
    const { status } = await watcher.ask(watch);
    if (status === 401) refusedAt = performance.now();
    else if (!isSuccess(status)) throw new Error(`the watched session answered ${status}`);
  }
  const { status, at } = await answer;

  let acceptedAfter = 0;
  let next = 0;
  await Promise.all(
    verifiers.map(async (verifier) => {
      for (let wire = sample.over[next++]; wire !== undefined; wire = sample.over[next++]) {
        if (isSuccess((await verifier.ask(wire)).status)) acceptedAfter += 1;
      }
    }),
  );
  return {
    answerMs: at - start,
    effectMs: refusedAt === 0 ? Number.POSITIVE_INFINITY : refusedAt - start,
    logoutStatus: status,
    acceptedAfter,
  };
}
