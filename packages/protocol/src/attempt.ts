/** Calls what may throw, so that whatever comes after it is not left undone. */
export function attempt(work: () => void, onFault: (error: unknown) => void): void {
  try {
    work();
  } catch (error) {
    onFault(error);
  }
}
