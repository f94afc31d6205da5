import type { Logout } from '@curfew/protocol/wire/logout';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Verifier } from '@curfew/verifier';
import { Connection } from '../load/connection.ts';
import { isSuccess } from '../load/figures.ts';
import { Latencies } from '../load/latencies.ts';

export interface LogoutSample {
  /** The whole request, and the credential that it ends. */
  logout: string;
  text: string;
  /** Whether the answer waits for the replicas, or comes after the commit. */
  wait: 'replicas' | 'none';
}

export interface LogoutPlan {
  port: number;
  samples: LogoutSample[];
  everyMs: number;
  /** How many of this process's own verifiers know each credential before the logout, and must refuse it at the answer. */
  watchers: number;
  /** So many replicas must have acknowledged every confirmed logout. */
  replicas: number;
}

export interface LogoutTimes {
  confirmedP50: number;
  confirmedP99: number;
  /** As the server counts it, from reading the request to writing the answer. */
  serverP50: number;
  committedP50: number;
  committedP99: number;
  confirmed: number;
  /** Replicas that did not acknowledge, so that the logout waited for their lease to run out. */
  waitedOut: number;
  problems: string[];
}

export interface FloorPlan {
  port: number;
  requests: string[];
  everyMs: number;
}

/** The floor, measured in the same way: how long the machine takes for one committed row at this pace. */
export async function runFloor(
  plan: FloorPlan,
): Promise<Pick<LogoutTimes, 'committedP50' | 'committedP99' | 'problems'>> {
  const connection = new Connection(plan.port, { body: true });
  await connection.open();
  const committed = new Latencies();
  const problems = new Set<string>();
  let due = performance.now();
  for (const request of plan.requests) {
    const sentAt = performance.now();
    const { status } = await connection.ask(request);
    committed.add(performance.now() - sentAt);
    if (!isSuccess(status)) problems.add(`the floor answered ${status}`);
    due += plan.everyMs;
    await untilDue(due);
  }
  connection.close();
  const [committedP50 = 0, committedP99 = 0] = committed.quantiles(0.5, 0.99);
  return { committedP50, committedP99, problems: [...problems] };
}

/** Does not wait if it is due: the shortest timer is a millisecond. */
async function untilDue(due: number): Promise<void> {
  const waitMs = due - performance.now();
  if (waitMs > 0) await sleep(waitMs);
}

/**
 * One logout at a time, by the clock. The watching verifiers of this process check in the very turn in which a confirmed answer is read: to
 * refuse a moment later would break the promise.
 */
export async function runLogouts(plan: LogoutPlan, verifiers: Verifier[]): Promise<LogoutTimes> {
  const watchers = verifiers.slice(0, plan.watchers);
  for (const watcher of watchers)
    for (const { text } of plan.samples)
      if (!(await watcher.verify(text)).ok) throw new Error('a verifier refuses a live session');

  const connection = new Connection(plan.port, { body: true });
  await connection.open();
  const confirmed = new Latencies();
  const committed = new Latencies();
  const server = new Latencies();
  const problems = new Set<string>();
  let late = 0;
  let waitedOut = 0;
  let due = performance.now();
  for (const { logout, text, wait } of plan.samples) {
    const sentAt = performance.now();
    const { status, body } = await connection.ask(logout);
    const took = performance.now() - sentAt;
    if (wait === 'replicas')
      for (const watcher of watchers) if (watcher.verifyNow(text)?.ok !== false) late += 1;
    const answer = isSuccess(status) ? (JSON.parse(body) as Logout) : undefined;
    if (answer?.ended !== 1) problems.add(`a logout answered ${status}: ${body.slice(0, 100)}`);
    else if (answer.confirmed !== (wait === 'replicas')) problems.add(`a logout said ${body.slice(0, 100)}`);
    else if (wait === 'none') committed.add(took);
    else {
      confirmed.add(took);
      server.add(answer.ms);
      waitedOut += answer.waited_out;
      if (answer.acknowledged + answer.waited_out !== plan.replicas)
        problems.add(`${answer.acknowledged} replicas acknowledged a logout, not ${plan.replicas}`);
    }
    due += plan.everyMs;
    await untilDue(due);
  }
  connection.close();
  if (late > 0) problems.add(`${late} times a verifier did not refuse on the answer`);
  const [confirmedP50 = 0, confirmedP99 = 0] = confirmed.quantiles(0.5, 0.99);
  const [committedP50 = 0, committedP99 = 0] = committed.quantiles(0.5, 0.99);
  const [serverP50 = 0] = server.quantiles(0.5);
  return {
    confirmedP50,
    confirmedP99,
    serverP50,
    committedP50,
    committedP99,
    confirmed: confirmed.count,
    waitedOut,
    problems: [...problems],
  };
}
