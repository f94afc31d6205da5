import {
  type Cut,
  clientKey,
  cutAll,
  cutOthers,
  deviceKey,
  EVERYONE_KEY,
  isCut,
  keysOf,
  mergeCuts,
  type SessionFacts,
  userKey,
} from '@curfew/protocol/cuts';

/** What an event of the log says about who is over; a part of its row. */
export interface Ended {
  position: number;
  type: string;
  scope: string | null;
  reason: string | null;
  user_id: number | null;
  user_ids: number[] | null;
  session_ids: string[] | null;
  client_id: string | null;
  device_id: string | null;
  except_session: string | null;
}

interface Generation {
  cuts: Map<string, Cut>;
  sids: Set<string>;
  /** User → the count of events applied when the user was last changed by one. */
  users: Map<number, number>;
}

const emptyGeneration = (): Generation => ({ cuts: new Map(), sids: new Set(), users: new Map() });

/**
 * The endings that a process still has to remember: a set that only grows until its older half is let go. It stands
 * in front of answers that were loaded earlier, and says whether an ending has come since.
 */
export class EndedSet {
  #young = emptyGeneration();
  #old = emptyGeneration();
  #applied = 0;

  /** A mark to put on what is loaded from now on; see `changedSince`. */
  get mark(): number {
    return this.#applied;
  }

  /** Takes an event in. Twice is as good as once, and the order does not matter. */
  add(event: Ended): void {
    this.#applied++;
    const users = event.user_ids ?? (event.user_id === null ? [] : [event.user_id]);
    // An ending alone changes nothing that is shown of the user, so their other sessions stay as they were loaded.
    if (event.type === 'user_changed' || event.reason === 'role_changed')
      for (const userId of users) this.#young.users.set(userId, this.#applied);
    if (event.type !== 'sessions_ended') return;
    for (const sid of event.session_ids ?? []) this.#young.sids.add(sid);
    const { position } = event;
    switch (event.scope) {
      case 'user':
      case 'users':
        for (const userId of users) this.#cut(userKey(userId), cutAll(position));
        break;
      case 'others':
        for (const userId of users)
          this.#cut(userKey(userId), cutOthers(position, event.except_session ?? ''));
        break;
      case 'device':
        for (const userId of users) this.#cut(deviceKey(userId, event.device_id ?? ''), cutAll(position));
        break;
      case 'client':
        this.#cut(clientKey(event.client_id ?? ''), cutAll(position));
        break;
      case 'everyone':
        this.#cut(EVERYONE_KEY, cutAll(position));
        break;
    }
  }

  #cut(key: string, cut: Cut): void {
    const there = this.#young.cuts.get(key);
    this.#young.cuts.set(key, there ? mergeCuts(there, cut) : cut);
  }

  /** Whether an event taken in says that the session is over. */
  has(session: SessionFacts): boolean {
    return inGeneration(this.#young, session) || inGeneration(this.#old, session);
  }

  /** Whether an event after the mark has changed the user, so that what was loaded before may be out of date. */
  changedSince(mark: number, userId: number): boolean {
    return (this.#young.users.get(userId) ?? this.#old.users.get(userId) ?? 0) > mark;
  }

  /** Lets the older half go. Call it no more often than the longest time for which something loaded is believed. */
  age(): void {
    this.#old = this.#young;
    this.#young = emptyGeneration();
  }
}

function inGeneration(generation: Generation, session: SessionFacts): boolean {
  if (generation.sids.has(session.sid)) return true;
  if (generation.cuts.size === 0) return false;
  for (const key of keysOf(session)) {
    const cut = generation.cuts.get(key);
    if (cut && isCut(cut, session)) return true;
  }
  return false;
}
