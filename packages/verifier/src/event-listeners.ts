import type { Log } from './options.ts';
import type { VerifierEvents } from './verifier.ts';

/** Functions of the application, called at the events of a verifier. */
export class EventListeners {
  readonly #log: Log;
  readonly #byEvent: { [Name in keyof VerifierEvents]: Set<VerifierEvents[Name]> } = {
    fresh: new Set(),
    stale: new Set(),
    ended: new Set(),
  };

  constructor(log: Log) {
    this.#log = log;
  }

  /** @returns a function that removes the listener */
  add<Name extends keyof VerifierEvents>(event: Name, listener: VerifierEvents[Name]): () => void {
    const listeners: Set<VerifierEvents[Name]> = this.#byEvent[event];
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  call<Name extends keyof VerifierEvents>(event: Name, ...args: Parameters<VerifierEvents[Name]>): void {
    for (const listener of this.#byEvent[event])
      callSafely(this.#log, `a listener of "${event}" failed`, () =>
        (listener as (...all: unknown[]) => void)(...args),
      );
  }
}

/** Calls a function of the application, and logs what it throws. */
export function callSafely(log: Log, failure: string, call: () => void): void {
  try {
    call();
  } catch (error) {
    log('error', failure, { error });
  }
}
