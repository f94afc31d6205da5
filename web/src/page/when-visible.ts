/**
 * Work for a visible page only. What is wanted of a hidden page is done once, when it is seen again.
 */
export function whenVisible(work: () => unknown): { want: () => void; stop: () => void } {
  let wanted = false;
  const look = (): void => {
    if (!wanted || document.visibilityState !== 'visible') return;
    wanted = false;
    work();
  };
  document.addEventListener('visibilitychange', look);
  return {
    want() {
      wanted = true;
      look();
    },
    stop: () => document.removeEventListener('visibilitychange', look),
  };
}
