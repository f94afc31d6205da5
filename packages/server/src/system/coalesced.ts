/**
 * Work of which one run serves everybody who asked before it began: whoever asks during a run gets the next one.
 */
export function coalesced<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    // Also what it throws at once is an answer.
    const run = new Promise<T>((answer) => answer(work())).finally(() => {
      if (running === run) running = undefined;
    });
    running = run;
    return run;
  };
  return () => {
    if (!running) return start();
    next ??= running
      // Its failure is for those who asked for that run; these ask for the next one.
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
}
