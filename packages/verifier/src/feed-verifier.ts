import type { Clock, Instant } from '@curfew/protocol/clock';
import { credentialKind } from '@curfew/protocol/reading/credential-kind';
import { Memory } from '@curfew/protocol/memory';
import { type Watched, watch } from '@curfew/protocol/replica';
import { Activity, type Used } from './activity.ts';
import { AcceptedAudiences } from './accepted-audiences.ts';
import { systemClock } from './system-clock.ts';
import { DeadCredentials } from './dead-credentials.ts';
import { EndedWatches, type EndedWhy } from './ended-watch.ts';
import { Feed } from './feed.ts';
import { Flights } from './flights.ts';
import { type Answer, Introspection, type Said } from './introspection.ts';
import { callSafely, EventListeners } from './event-listeners.ts';
import { Keys } from './public-keys.ts';
import { metricsText, type VerifierFreshness } from './metrics.ts';
import {
  type CheckOptions,
  type OnStale,
  readOptions,
  type Settings,
  type VerifierOptions,
} from './options.ts';
import { judgeToken, type Proven } from './judge-token.ts';
import {
  accept,
  type Accepted,
  factsOfSession,
  type Reason,
  type Refused,
  refused,
  type SessionDetails,
  type VerifiedSession,
  type Verified,
} from './verified.ts';
import type { Verifier, VerifierEvents } from './verifier.ts';

/** How long an answer of the authority is kept behind the replica, which knows of logouts but not of idle timeouts. */
const BELIEVED_MS = 60_000;
/** The lease until a node has told its own. */
const ASSUMED_LEASE_MS = 1000;
/** The most credentials that the authority is asked about at once; others are refused as unavailable. */
const MOST_ASKED = 1024;
/** The most tokens whose signatures are verified at once; others are refused as unavailable. */
const MOST_COMPUTED = 4096;
/** The most credentials remembered that the authority refused; a megabyte or two. */
const MOST_DEAD = 10_000;
const ACTIVITY_MS = 5000;

interface Entry extends Used {
  readonly accepted: Accepted;
}

/**
 * Connects to the authority and follows it.
 * @throws TypeError that names an invalid option
 * @example
 * import { createVerifier } from '@curfew/verifier';
 *
 * const verifier = createVerifier({
 *   authority: 'https://auth.example',
 *   serviceKey: process.env.SERVICE_KEY ?? '',
 *   audience: 'https://api.example',
 * });
 * await verifier.ready();
 * const verified = await verifier.verify('the token of a request');
 * console.log(verified.ok ? `user ${verified.session.subject}` : `refused: ${verified.reason}`);
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return createVerifierBy(systemClock, options);
}

/** Creates a verifier with another clock, for tests. */
export function createVerifierBy(clock: Clock, options: VerifierOptions): Verifier {
  return new FeedVerifier(readOptions(options), clock);
}

class FeedVerifier implements Verifier {
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #feed: Feed;
  readonly #memory: Memory<Entry>;
  readonly #keys: Keys;
  readonly #audiences: AcceptedAudiences;
  readonly #introspection: Introspection;
  readonly #activity = new Activity();
  readonly #watches = new EndedWatches();
  readonly #dead: DeadCredentials;
  readonly #asks = new Flights<Answer>(MOST_ASKED);
  readonly #computations = new Flights<Proven | Refused | 'ask'>(MOST_COMPUTED);
  readonly #listeners: EventListeners;
  readonly #accepted = { memory: 0, authority: 0 };
  readonly #refused = new Map<Reason, number>();
  readonly #asked = new Map<Said['says'], number>();
  readonly #stopActivity: () => void;
  #wasFresh = false;
  /** When it was last fresh, or was created. */
  #freshMs: number;
  #closed = false;

  constructor(settings: Settings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#freshMs = clock.now().monotonicMs;
    const { authorities, serviceKey, log, capacity } = settings;
    this.#listeners = new EventListeners(log);
    this.#keys = new Keys(log);
    this.#audiences = new AcceptedAudiences(settings.audiences, log);
    this.#introspection = new Introspection(authorities, serviceKey, clock, log);
    this.#feed = new Feed(authorities, serviceKey, clock, log, {
      onEnding: ({ ids, cuts, changed }) => {
        this.#memory.change(changed, this.#feed.subscriber.terms?.keep ?? BELIEVED_MS);
        this.#watches.apply({ ids, cuts });
        this.#listeners.call('ended', { ids, cuts });
      },
      onNewReplica: (wentBack) => this.#beginAnew(wentBack),
      onSnapshot: () => this.#review(false),
      onKeys: (keys) => void this.#takeKeys(keys),
      onFreshness: () => this.#lookAtFreshness(),
    });
    const { subscriber } = this.#feed;
    this.#memory = new Memory<Entry>({
      capacity,
      judge: (session) => subscriber.judge(session),
      monotonicMs: () => clock.now().monotonicMs,
    });
    this.#dead = new DeadCredentials(Math.min(capacity, MOST_DEAD));
    this.#stopActivity = clock.every(ACTIVITY_MS, () => this.#tellActivity());
  }

  verify(credential: string | null | undefined, options?: CheckOptions): Promise<Verified> {
    const now = this.verifyNow(credential, options);
    return now ? Promise.resolve(now) : this.#verify(credential as string, this.#onStale(options));
  }

  verifyNow(credential: string | null | undefined, options?: CheckOptions): Verified | null {
    if (this.#closed) return this.#refuse('unavailable');
    if (typeof credential !== 'string' || credential === '') return this.#refuse('no_credential');
    const nowMs = this.#feed.subscriber.authorityNowMs();
    if (nowMs === null) return null;
    // The memory asks the replica last, and the replica reads the clock last.
    const known = this.#memory.recall(credential, nowMs);
    if (known === null)
      return this.#dead.has(credential, this.#clock.now().monotonicMs) ? this.#refuse('unknown') : null;
    if (known === 'ended') return this.#refuse('ended');
    if (known === 'unsure') return this.#onStale(options) === 'refuse' ? this.#refuse('stale') : null;
    this.#accepted.memory++;
    this.#activity.use(known.value, nowMs);
    return known.value.accepted;
  }

  get cookieName(): string {
    return this.#feed.subscriber.terms?.cookies?.[0] ?? this.#settings.cookieName;
  }

  #onStale(options: CheckOptions | undefined): OnStale {
    return options?.onStale ?? this.#settings.onStale;
  }

  #refuse(reason: Reason): Refused {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
    return refused(reason);
  }

  async #verify(text: string, onStale: OnStale): Promise<Verified> {
    const startedMs = this.#clock.now().monotonicMs;
    const kind = credentialKind(text);
    // A refresh token opens nothing but /v1/refresh.
    if (kind === null || kind === 'refresh') return this.#refuse('not_canonical');
    if (kind === 'jwt') {
      const proven = await this.#computations.join(text, () => this.#compute(text));
      if (proven === null) return this.#refuse('unavailable');
      if (proven !== 'ask') {
        if ('ok' in proven) return this.#refuse(proven.reason);
        const now = this.verifyNow(text, { onStale });
        if (now) return now;
      }
    }
    return this.#ask(text, startedMs, onStale);
  }

  /** Verifies a token's signature and remembers its claims. */
  async #compute(text: string): Promise<Proven | Refused | 'ask'> {
    const { subscriber } = this.#feed;
    const nowMs = subscriber.authorityNowMs();
    const { terms } = subscriber;
    const { mark } = this.#memory;
    const askedMs = this.#clock.now().monotonicMs;
    const proven = await judgeToken(
      text,
      this.#keys,
      this.#audiences,
      terms && nowMs !== null
        ? {
            issuer: terms.issuer,
            tokenLifeMs: terms.tokenLife,
            nowMs,
            subscriber,
          }
        : null,
    );
    if (proven !== 'ask' && !('ok' in proven))
      this.#remember(text, watch(proven.facts), proven.details, {
        askedMs,
        mark,
        believedMs: Number.POSITIVE_INFINITY,
      });
    return proven;
  }

  #remember(
    text: string,
    session: Watched,
    details: SessionDetails,
    how: { askedMs: number; mark: number; believedMs: number },
  ): void {
    const accepted = accept(session.facts, details, 'memory');
    const value = { accepted, sid: session.facts.sid, usedMs: 0, listed: false };
    this.#memory.remember({ text, session, value, expiresAtMs: details.expiresAtMs, ...how });
  }

  /** Asks the authority. Its answer counts only behind the replica, like every other. */
  async #ask(text: string, startedMs: number, onStale: OnStale): Promise<Verified> {
    const { subscriber } = this.#feed;
    if (onStale === 'refuse' && !subscriber.isFresh()) return this.#refuse('stale');
    for (;;) {
      const answer = await this.#asks.join(text, () => this.#askNow(text));
      if (answer === null || this.#closed) return this.#refuse('unavailable');
      const { said, asked } = answer;
      if (said.says === 'unavailable') return this.#refuse('unavailable');
      if (said.says === 'inactive') return this.#refuse('unknown');
      const verdict = subscriber.judge(said.session);
      if (verdict === 'ended') return this.#refuse('ended');
      if (verdict === 'unsure') {
        if (onStale === 'refuse') return this.#refuse('stale');
        // Another check asked before this one began, so the answer may be older than a logout that was confirmed in between.
        // Without a fresh replica to rule that out, ask again.
        if (asked.monotonicMs < startedMs) continue;
      }
      // The answer was under way for too long, or this process was suspended.
      if (this.#isOlderThanLease(asked)) return this.#refuse('unavailable');
      this.#accepted.authority++;
      return accept(said.session.facts, said.details, 'authority');
    }
  }

  async #askNow(text: string): Promise<Answer> {
    const { mark } = this.#memory;
    const asked = this.#clock.now();
    let said = await this.#introspection.ask(text, this.#leaseMs());
    const { terms } = this.#feed.subscriber;
    if (said.says === 'inactive') this.#refusedByAuthority(text);
    if (said.says === 'active') {
      const { accepted } = this.#audiences;
      const elsewhere = said.audience === null || accepted?.includes(said.audience) === false;
      if (elsewhere && said.audience !== null) this.#audiences.refuse(said.audience);
      if (elsewhere || (terms && terms.issuer !== said.issuer)) said = { says: 'inactive' };
      else if (accepted === null) said = { says: 'unavailable' };
    }
    this.#asked.set(said.says, (this.#asked.get(said.says) ?? 0) + 1);
    if (said.says === 'active')
      this.#remember(text, said.session, said.details, {
        askedMs: asked.monotonicMs,
        mark,
        // Never for longer than endings are remembered. Not at all if the node does not know yet that the database went back: its
        // answer may be about a session that was lost.
        believedMs: this.#feed.subscriber.mayJudge(said.epoch) ? Math.min(BELIEVED_MS, terms?.keep ?? 0) : 0,
      });
    return { said, asked };
  }

  /** A credential that should be alive still: its session has ended, which a feed that is lost does not tell. */
  #refusedByAuthority(text: string): void {
    const { monotonicMs, wallMs } = this.#clock.now();
    this.#dead.add(text, monotonicMs);
    // By both clocks: the one of the authority stops here while a machine sleeps, and the credential may have expired meanwhile.
    const nowMs = Math.max(this.#feed.subscriber.authorityNowMs() ?? 0, wallMs);
    const session = this.#memory.sessionOf(text, nowMs);
    if (session) this.#watches.apply({ ids: [session.facts.sid], cuts: [] });
  }

  /** By both clocks: the monotonic one stops while a machine sleeps. */
  #isOlderThanLease(asked: Instant): boolean {
    const now = this.#clock.now();
    const leaseMs = this.#leaseMs();
    return now.monotonicMs - asked.monotonicMs >= leaseMs || Math.abs(now.wallMs - asked.wallMs) >= leaseMs;
  }

  #leaseMs(): number {
    return this.#feed.subscriber.terms?.lease ?? ASSUMED_LEASE_MS;
  }

  async #takeKeys(keys: readonly Record<string, unknown>[]): Promise<void> {
    const gone = await this.#keys.replace(keys);
    if (gone) this.#memory.forget();
  }

  /** Earlier answers were judged behind another replica, or are about sessions that were lost. */
  #beginAnew(wentBack: boolean): void {
    this.#memory.forget();
    this.#dead.forget();
    if (wentBack) this.#review(true);
  }

  #tellActivity(): void {
    const nowMs = this.#feed.subscriber.authorityNowMs();
    if (nowMs === null || !this.#feed.isIdle) return;
    for (const sessions of this.#activity.take(nowMs)) this.#feed.send({ t: 'used', sessions });
  }

  get freshness(): VerifierFreshness {
    const { subscriber, node } = this.#feed;
    return {
      state: !this.#closed && subscriber.isFresh() ? 'fresh' : 'stale',
      ageMs: subscriber.ageMs(),
      leaseMs: subscriber.terms?.lease ?? null,
      node,
      replica: subscriber.size(),
    };
  }

  #lookAtFreshness(): void {
    const { subscriber } = this.#feed;
    if (subscriber.terms && this.#audiences.learn(subscriber.terms.audience)) this.#memory.forget();
    const isFresh = subscriber.isFresh();
    const nowMs = this.#clock.now().monotonicMs;
    // A snapshot holds the endings of the last `keep` milliseconds: after a longer gap it proves nothing about a session.
    if (isFresh && nowMs - this.#freshMs >= (subscriber.terms?.keep ?? 0)) this.#review(true);
    if (isFresh) this.#freshMs = nowMs;
    if (isFresh === this.#wasFresh) return;
    this.#wasFresh = isFresh;
    this.#listeners.call(isFresh ? 'fresh' : 'stale');
  }

  /** Runs the callbacks of sessions that ended; with `lost`, those of all others too. */
  #review(lost: boolean): void {
    this.#watches.review((session) => {
      const verdict = this.#feed.subscriber.judge(session);
      return verdict === 'ended' ? 'ended' : lost ? 'lost' : null;
    });
  }

  on<Name extends keyof VerifierEvents>(event: Name, listener: VerifierEvents[Name]): () => void {
    return this.#listeners.add(event, listener);
  }

  onEnded(session: VerifiedSession, callback: (why: EndedWhy) => void): () => void {
    const watched = watch(factsOfSession(session));
    const tell = (why: EndedWhy): void =>
      callSafely(this.#settings.log, 'a callback of onEnded failed', () => callback(why));
    const callOff = this.#watches.add(watched, tell);
    // After the return, so that the caller has the function that removes the callback.
    queueMicrotask(() => {
      if (this.#feed.subscriber.judge(watched) === 'ended' && callOff()) tell('ended');
    });
    return () => void callOff();
  }

  async ready(timeoutMs = 10_000): Promise<boolean> {
    if (this.freshness.state === 'fresh') return true;
    return new Promise((resolve) => {
      const answer = (fresh: boolean): void => {
        stopListening();
        clearTimeout(timer);
        resolve(fresh);
      };
      const stopListening = this.on('fresh', () => answer(true));
      // Keeps the process alive, unlike other timers, because a caller waits.
      const timer = setTimeout(() => answer(false), timeoutMs);
    });
  }

  metrics(): string {
    const { state, ageMs, node, replica } = this.freshness;
    return metricsText({
      fresh: state === 'fresh',
      ageMs,
      connected: node !== null,
      connections: this.#feed.connections,
      replica,
      credentials: this.#memory.size,
      keys: this.#keys.size,
      accepted: this.#accepted,
      refused: this.#refused,
      asked: this.#asked,
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#tellActivity();
    this.#closed = true;
    this.#stopActivity();
    this.#introspection.close();
    this.#memory.forget();
    if (this.#wasFresh) this.#listeners.call('stale');
    await this.#feed.close();
  }
}
