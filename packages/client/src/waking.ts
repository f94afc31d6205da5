const TICK_MS = 20_000;
/** Hidden tabs may run timers once a minute only. A longer pause was sleep. */
const SLEPT_MS = 90_000;

/** Calls back when the page may have missed something. `slept`: an open socket may be dead. */
export function watchWaking(on: { wake: (slept: boolean) => void; leave: () => void }): () => void {
  if (typeof document === 'undefined') return () => undefined;
  const over = new AbortController();
  const listen = (target: EventTarget, name: string, listener: (event: Event) => void): void =>
    target.addEventListener(name, listener, over);
  let seenMs = Date.now();
  const look = (): void => {
    const away = Date.now() - seenMs;
    seenMs = Date.now();
    // Backwards: the clock was set.
    if (away > SLEPT_MS || away < -TICK_MS) on.wake(true);
  };
  const timer = setInterval(look, TICK_MS);
  listen(document, 'visibilitychange', () => {
    if (document.visibilityState !== 'visible') return;
    look();
    on.wake(false);
  });
  listen(window, 'online', () => on.wake(true));
  // Put into the back-forward cache, which an open socket would prevent.
  listen(window, 'pagehide', on.leave);
  listen(window, 'pageshow', (event) => (event as PageTransitionEvent).persisted && on.wake(true));
  return () => {
    clearInterval(timer);
    over.abort();
  };
}
