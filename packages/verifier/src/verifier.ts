import type { EndedWhy } from './ended-watch.ts';
import type { VerifierFreshness } from './metrics.ts';
import type { CheckOptions } from './options.ts';
import type { VerifiedSession, Verified } from './verified.ts';

/** The events of a verifier. */
export interface VerifierEvents {
  /** The verifier has become fresh. */
  fresh: () => void;
  /** The verifier has become stale, or was closed. */
  stale: () => void;
  /** Sessions ended: single ones by their ids, and cuts by their keys. */
  ended: (ending: { ids: readonly string[]; cuts: readonly { key: string; position: number }[] }) => void;
}

/** Checks credentials from memory, while it follows the authority. */
export interface Verifier {
  /**
   * Checks an access token, an opaque token or the value of a session cookie. It never throws: a credential that cannot be
   * checked is refused.
   */
  verify(credential: string | null | undefined, options?: CheckOptions): Promise<Verified>;
  /** Checks a credential from memory alone, for code that cannot wait; null when only `verify` can answer. */
  verifyNow(credential: string | null | undefined, options?: CheckOptions): Verified | null;
  /** How current the replica is now. */
  readonly freshness: VerifierFreshness;
  /**
   * Adds a listener. What it throws is logged.
   * @returns a function that removes it
   */
  on<Name extends keyof VerifierEvents>(event: Name, listener: VerifierEvents[Name]): () => void;
  /**
   * Calls back once when the session ends, or at once if it has ended: close its sockets there. Without a feed that is when a
   * check hears it from the authority. A session that only expires causes no call: see `expiresAt`.
   * @returns a function that removes the callback
   */
  onEnded(session: VerifiedSession, callback: (why: EndedWhy) => void): () => void;
  /** Waits until the verifier is fresh, for 10,000 ms unless set; resolves to false when it is not by then. */
  ready(timeoutMs?: number): Promise<boolean>;
  /** Returns the metrics in Prometheus' text format. */
  metrics(): string;
  /** Closes the connection. All later checks are refused as `unavailable`. */
  close(): Promise<void>;
  /** The name of the authority's session cookie, as its node says; until then the default name. */
  readonly cookieName: string;
}
