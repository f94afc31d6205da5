/** Work of which one run serves all callers that asked before it began; a caller during a run gets the next one. */
export function coalesced<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    // A synchronous exception rejects, too.
    const run = new Promise<T>((answer) => answer(work())).finally(() => {
      if (running === run) running = undefined;
    });
    running = run;
    return run;
  };
  return () => {
    if (!running) return start();
    next ??= running
      // The failure belongs to that run's callers; these get the next run.
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
}
