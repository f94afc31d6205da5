import type { LoggedEvent } from '@curfew/protocol/wire/event';
import { signal } from '@preact/signals';
import type { Api, Query } from './api.ts';
import { followLog, type LiveState } from './live.ts';

const PAGE = 50;
/** The oldest streamed events are dropped, so that a page that is open all night does not grow. */
const MOST = 1000;

/** The events of one query: what was read of them, and what the stream adds. */
export class LiveLog {
  /** Newest first; null until they are loaded. */
  readonly events = signal<LoggedEvent[] | null>(null);
  /** The position before which there are older ones. */
  readonly next = signal<number | null>(null);
  /** Arrived while it was paused. */
  readonly waiting = signal<LoggedEvent[]>([]);
  readonly fresh = signal<ReadonlySet<number>>(new Set());
  readonly paused = signal(false);
  readonly standing = signal<LiveState>('connecting');
  /** The error of the last read. */
  readonly problem = signal<unknown>(null);
  /** How many were added since somebody last looked, and set it to 0. */
  readonly arrived = signal(0);

  readonly #api: Api;
  #query: Query = {};
  /** The newest page was read once: what is new in a later read is news. */
  #loaded = false;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Shows another query's events from now on. @returns stops */
  follow(query: Query): () => void {
    this.#query = query;
    // Read at once, and again when the stream is open, which begins at its own moment: nothing is missed, and nothing shown twice.
    const stop = followLog(query, {
      event: (event) => this.#take([event]),
      standing: (now) => {
        this.standing.value = now;
        if (now === 'live') void this.#read(null);
      },
    });
    this.events.value = null;
    this.#loaded = false;
    this.next.value = null;
    this.waiting.value = [];
    this.fresh.value = new Set();
    void this.#read(null);
    return stop;
  }

  older(): Promise<void> {
    return this.#read(this.events.value?.at(-1)?.position ?? null);
  }

  goOn(): void {
    this.paused.value = false;
    this.#show(this.waiting.value);
    this.waiting.value = [];
  }

  async #read(before: number | null): Promise<void> {
    const query = this.#query;
    // If the query has changed meanwhile, the answer is dropped.
    const isWanted = (): boolean => this.#query === query;
    try {
      const answer = await this.#api.events({ ...query, limit: PAGE, before });
      if (!isWanted()) return;
      this.problem.value = null;
      if (before === null && this.#loaded) return this.#take(answer.events);
      // Streamed events may have arrived before the answer.
      this.events.value = merged(this.events.value ?? [], answer.events, Number.POSITIVE_INFINITY);
      this.next.value = answer.next;
      this.#loaded = true;
    } catch (error) {
      if (!isWanted()) return;
      this.problem.value = error;
      this.events.value ??= [];
    }
  }

  /** Takes in what is new, shown or waiting. */
  #take(those: LoggedEvent[]): void {
    if (this.paused.value)
      this.waiting.value = merged(this.waiting.value, newAmong(those, this.events.value), MOST);
    else this.#show(those);
  }

  #show(those: LoggedEvent[]): void {
    const shown = this.events.value;
    const news = newAmong(those, shown);
    if (news.length === 0) return;
    this.fresh.value = new Set([
      ...[...this.fresh.value].slice(-MOST),
      ...news.map(({ position }) => position),
    ]);
    this.events.value = merged(shown ?? [], news, Math.max(MOST, shown?.length ?? 0));
    this.arrived.value += news.length;
  }
}

/** Events that are not shown yet, or with another count. */
function newAmong(those: readonly LoggedEvent[], shown: readonly LoggedEvent[] | null): LoggedEvent[] {
  const counts = new Map(shown?.map(({ position, count }) => [position, count]));
  return those.filter(({ position, count }) => counts.get(position) !== count);
}

/** Merges two lists without duplicates, newest first, up to a bound. */
export function merged(a: readonly LoggedEvent[], b: readonly LoggedEvent[], most: number): LoggedEvent[] {
  const all = new Map([...a, ...b].map((event) => [event.position, event]));
  return [...all.values()].toSorted((x, y) => y.position - x.position).slice(0, most);
}
