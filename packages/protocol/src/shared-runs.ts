import { attempt } from './attempt.ts';

export type Done<T> = (error: unknown, answer?: T) => void;

/**
 * Work of which one run serves all callers that asked before it began; a caller during a run gets the next one. If the work or a
 * callback throws, all callers are still answered once, and the next run follows.
 */
export function shared<T>(
  work: (done: Done<T>) => void,
  onFault: (error: unknown) => void,
): (done: Done<T>) => void {
  let running = false;
  let asking: Done<T>[] = [];
  const run = (): void => {
    const served = asking;
    asking = [];
    running = true;
    let waiting = true;
    const over: Done<T> = (error, answer) => {
      if (!waiting) return;
      waiting = false;
      running = false;
      for (const done of served) attempt(() => done(error, answer), onFault);
      if (asking.length > 0 && !running) run();
    };
    attempt(() => work(over), over);
  };
  return (done) => {
    asking.push(done);
    if (!running) run();
  };
}
