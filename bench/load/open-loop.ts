import { performance } from 'node:perf_hooks';
import { Connection } from './connection.ts';
import { countError, isSuccess, type LoadFigures } from './figures.ts';
import { Latencies } from './latencies.ts';

export interface OpenLoopPlan {
  port: number;
  perSecond: number;
  seconds: number;
  /** The most connections. A request that finds none free waits, and its wait counts. */
  maxConnections: number;
  requests: string[];
  repeat: boolean;
  /** The latency of every answer, whatever its status: for a flood that is meant to be refused. */
  anyStatus: boolean;
}

/**
 * Sends requests by the clock, however slow the answers are, as users do. A closed loop would send fewer requests exactly when the server
 * is slow, and so hide the slowness.
 */
export async function runOpenLoop(plan: OpenLoopPlan): Promise<LoadFigures> {
  const wires = plan.requests.map((request) => Buffer.from(request, 'latin1'));
  const idle: Connection[] = [];
  for (let i = 0; i < Math.min(32, plan.maxConnections); i += 1) idle.push(new Connection(plan.port));
  await Promise.all(idle.map((connection) => connection.open()));
  const all = [...idle];

  const latencies = new Latencies();
  const errors: Record<string, number> = {};
  const waiting: { wire: Buffer; due: number }[] = [];
  const total = plan.repeat
    ? Math.floor(plan.perSecond * plan.seconds)
    : Math.min(wires.length, Math.floor(plan.perSecond * plan.seconds));
  let arrived = 0;
  let answered = 0;
  const start = performance.now();

  await new Promise<void>((resolve) => {
    const dispatch = (wire: Buffer, due: number, connection: Connection): void => {
      connection.send(wire, ({ status }) => {
        answered += 1;
        if (!isSuccess(status)) countError(errors, status);
        if (isSuccess(status) || plan.anyStatus) latencies.add(performance.now() - due);
        const queued = waiting.shift();
        if (queued !== undefined) dispatch(queued.wire, queued.due, connection);
        else idle.push(connection);
        if (answered === total) resolve();
      });
    };
    const arrive = (): void => {
      const now = performance.now();
      const due = Math.min(total, Math.ceil(((now - start) / 1000) * plan.perSecond));
      for (; arrived < due; arrived += 1) {
        const wire = wires[arrived % wires.length] as Buffer;
        let connection = idle.pop();
        if (connection === undefined && all.length < plan.maxConnections) {
          connection = new Connection(plan.port);
          all.push(connection);
        }
        if (connection === undefined) waiting.push({ wire, due: now });
        else dispatch(wire, now, connection);
      }
      if (arrived < total) setTimeout(arrive, 1);
    };
    // A server that has stopped answering must not block the whole run.
    setTimeout(resolve, plan.seconds * 1000 + 5000).unref();
    if (total === 0) resolve();
    else arrive();
  });
  for (const connection of all) connection.close();

  if (answered < total) errors['unanswered'] = total - answered;
  const [p50 = 0, p99 = 0] = latencies.quantiles(0.5, 0.99);
  return {
    perSecond: latencies.count / ((performance.now() - start) / 1000),
    p50,
    p99,
    answered: latencies.count,
    errors,
  };
}
