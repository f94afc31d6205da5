import { performance } from 'node:perf_hooks';
import { Connection } from './connection.ts';
import { countError, isSuccess, type LoadFigures } from './figures.ts';
import { Latencies } from './latencies.ts';

export interface ClosedLoopPlan {
  port: number;
  connections: number;
  seconds: number;
  /** Each request is sent once, unless `repeat`: a credential can be logged out only once. */
  requests: string[];
  repeat: boolean;
}

/**
 * Sends as many requests as the server takes: each connection sends the next one when the last is answered. Ends at the deadline or when
 * the requests are used up, and waits for those in flight, so that it counts each request once.
 */
export async function runClosedLoop(plan: ClosedLoopPlan): Promise<LoadFigures> {
  const wires = plan.requests.map((request) => Buffer.from(request, 'latin1'));
  const connections = Array.from({ length: plan.connections }, () => new Connection(plan.port));
  await Promise.all(connections.map((connection) => connection.open()));

  const latencies = new Latencies();
  const errors: Record<string, number> = {};
  let next = 0;
  const start = performance.now();
  const deadline = start + plan.seconds * 1000;
  let last = start;

  await Promise.all(
    connections.map(
      (connection) =>
        new Promise<void>((resolve) => {
          const sendNext = (now: number): void => {
            const wire = plan.repeat ? wires[next % wires.length] : wires[next];
            if (wire === undefined || now >= deadline) return resolve();
            next += 1;
            connection.send(wire, ({ status }) => {
              const answered = performance.now();
              last = answered;
              if (isSuccess(status)) latencies.add(answered - now);
              else countError(errors, status);
              sendNext(answered);
            });
          };
          sendNext(start);
        }),
    ),
  );
  for (const connection of connections) connection.close();

  const [p50 = 0, p99 = 0] = latencies.quantiles(0.5, 0.99);
  const perSecond = last > start ? latencies.count / ((last - start) / 1000) : 0;
  return { perSecond, p50, p99, answered: latencies.count, errors };
}
