import type { Ending } from '@curfew/protocol/ending';
import { isCutOf, keysOfWatched, type Watched } from '@curfew/protocol/replica';

/** Why a watch on a session fired: it `ended`, or is `lost`, because an outage outlasted what the authority remembers. */
export type EndedWhy = 'ended' | 'lost';

interface Watch {
  session: Watched;
  tell: (why: EndedWhy) => void;
}

/** Callbacks to run when a session ends. Each runs once. */
export class EndedWatches {
  readonly #bySid = new Map<string, Set<Watch>>();
  readonly #byKey = new Map<string, Set<Watch>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns a function that removes the watch, and answers whether it was still there */
  add(session: Watched, tell: (why: EndedWhy) => void): () => boolean {
    const watch = { session, tell };
    this.#size++;
    put(this.#bySid, session.facts.sid, watch);
    for (const key of keysOfWatched(session)) put(this.#byKey, key, watch);
    return () => this.#remove(watch);
  }

  #remove(watch: Watch): boolean {
    if (!take(this.#bySid, watch.session.facts.sid, watch)) return false;
    this.#size--;
    for (const key of keysOfWatched(watch.session)) take(this.#byKey, key, watch);
    return true;
  }

  #tell(watch: Watch, why: EndedWhy): void {
    if (this.#remove(watch)) watch.tell(why);
  }

  /** Runs the callbacks of the sessions that the ending ends. */
  apply({ ids, cuts }: Pick<Ending, 'ids' | 'cuts'>): void {
    if (this.#size === 0) return;
    for (const sid of ids)
      for (const watch of Array.from(this.#bySid.get(sid) ?? [])) this.#tell(watch, 'ended');
    for (const cut of cuts)
      for (const watch of Array.from(this.#byKey.get(cut.key) ?? []))
        if (isCutOf((key) => (key === cut.key ? cut : undefined), watch.session)) this.#tell(watch, 'ended');
  }

  /** Judges all watched sessions, after a snapshot, which names no endings one by one. */
  review(judge: (session: Watched) => EndedWhy | null): void {
    // A copy, because a callback may add a watch.
    for (const watches of Array.from(this.#bySid.values()))
      for (const watch of Array.from(watches)) {
        const why = judge(watch.session);
        if (why !== null) this.#tell(watch, why);
      }
  }
}

function put(map: Map<string, Set<Watch>>, key: string, watch: Watch): void {
  const there = map.get(key);
  if (there) there.add(watch);
  else map.set(key, new Set([watch]));
}

function take(map: Map<string, Set<Watch>>, key: string, watch: Watch): boolean {
  const there = map.get(key);
  const taken = there?.delete(watch) ?? false;
  if (there?.size === 0) map.delete(key);
  return taken;
}
