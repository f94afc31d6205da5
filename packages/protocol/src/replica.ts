import {
  type Cut,
  CUT_KINDS,
  isCut,
  keysOf,
  loginOf,
  loginSidOf,
  mergeCuts,
  type SessionFacts,
} from './cuts.ts';
import { EndedIds, sessionKey, type SessionKey } from './ended-ids.ts';
import type { Ending, KeyedCut } from './ending.ts';

/** What cuts are looked up by. */
interface Keyed {
  readonly facts: SessionFacts;
  /** One of each of `CUT_KINDS`, in that order. */
  readonly keys: readonly string[];
}

/** A session with its look-up keys, which are computed once and not at each check. */
export interface Watched extends Keyed {
  readonly id: SessionKey;
  /** The login that it was begun through: a cut of it ends the session. Null for a login of its own. */
  readonly login: Keyed | null;
}

const USER = CUT_KINDS.indexOf('user');
const LOGIN = CUT_KINDS.indexOf('login');
const TENANT = CUT_KINDS.indexOf('tenant');
/** The kinds that a feed of version 1 knows come first. */
const KINDS_OF_VERSION_1 = LOGIN;
/** The place of the keys of a newer version in the counts. */
const NEWER = CUT_KINDS.length;

function placeOf(key: string): number {
  const [kind] = key.split(':', 1);
  const place = CUT_KINDS.findIndex((known) => known === kind);
  return place === -1 ? NEWER : place;
}

/** Whether a verifier of version 1 of the feed understands a key. */
export const isOfVersion1 = (key: string): boolean => placeOf(key) < KINDS_OF_VERSION_1;

/** @throws Error when the `sid` is not a UUID */
export function watch(facts: SessionFacts): Watched {
  const login = loginOf(facts);
  return {
    facts,
    id: sessionKey(facts.sid),
    keys: keysOf(facts),
    login: login && { facts: login, keys: keysOf(login) },
  };
}

/** The keys whose cuts can end a session, or its login. */
export const keysOfWatched = ({ keys, login }: Watched): readonly string[] =>
  login === null ? keys : [...new Set([...keys, ...login.keys])];

/** Whether a cut ends a session, or its login. @param cutOf the cut under a key, if any */
export function isCutOf(cutOf: (key: string) => Cut | undefined, session: Watched): boolean {
  const isOver = ({ facts, keys }: Keyed): boolean =>
    keys.some((key) => {
      const cut = cutOf(key);
      return cut !== undefined && isCut(cut, facts);
    });
  return isOver(session) || (session.login !== null && isOver(session.login));
}

/** A replica's verdict on a session. `ended` is certain. `unsure`: the replica is not fresh, so ask the authority or refuse. */
export type Verdict = 'alive' | 'ended' | 'unsure';

/** A piece of a replica, to fill another one. */
export type Part = { cuts: KeyedCut[] } | { ids: SessionKey[] };

interface HeldCut {
  cut: Cut;
  /** When it last arrived, on the holder's monotonic clock. */
  heardMs: number;
}

/**
 * The cuts and ended ids that still matter, in memory. The set only grows, except that entries older than any credential they
 * could match are dropped. Endings may arrive in any order; none may be missing.
 *
 * `keepMs` is longer than the life of any credential that is judged by this replica alone. Each entry stays for at least that
 * long after it last arrived, by the holder's own clock, so no two clocks need to agree.
 */
export class Replica {
  #keepMs: number;
  readonly #ids = new EndedIds();
  /** The least recently received first. */
  readonly #cuts = new Map<string, HeldCut>();
  /** The number of cuts of each kind, and last of kinds of newer versions: kinds without cuts cost a check nothing. */
  readonly #counts: number[] = Array.from({ length: CUT_KINDS.length + 1 }, () => 0);
  #sweptMs: number;

  constructor(keepMs: number, nowMs: number) {
    this.#keepMs = keepMs;
    this.#sweptMs = nowMs;
  }

  /** Keeps every entry for at least this long from now on, also those that are here. */
  keepFor(ms: number): void {
    this.#keepMs = Math.max(this.#keepMs, ms);
  }

  /** Takes an ending in: its sessions are over from here on. */
  apply(ending: Pick<Ending, 'ids' | 'cuts'>, nowMs: number): void {
    this.forget(nowMs);
    for (const sid of ending.ids) this.#ids.add(sessionKey(sid));
    for (const cut of ending.cuts) this.#cut(cut, nowMs);
  }

  /** Takes a piece of another replica in. */
  fill(part: Part, nowMs: number): void {
    this.forget(nowMs);
    if ('ids' in part) for (const id of part.ids) this.#ids.add(id);
    else for (const cut of part.cuts) this.#cut(cut, nowMs);
  }

  #cut({ key, position, base, exceptSession }: KeyedCut, nowMs: number): void {
    const there = this.#cuts.get(key)?.cut;
    const cut = { position, base, exceptSession };
    if (there) this.#cuts.delete(key);
    else this.#count(key, 1);
    this.#cuts.set(key, { cut: there ? mergeCuts(there, cut) : cut, heardMs: nowMs });
  }

  #count(key: string, by: 1 | -1): void {
    const place = placeOf(key);
    this.#counts[place] = this.#held(place) + by;
  }

  #held(place: number): number {
    return this.#counts[place] as number;
  }

  ends(session: Watched): boolean {
    if (this.#ids.has(session.id)) return true;
    if (this.#cuts.size === 0) return false;
    return this.#cutEnds(session) || (session.login !== null && this.#cutEnds(session.login));
  }

  #cutEnds({ facts, keys }: Keyed): boolean {
    for (let place = 0; place < CUT_KINDS.length; place++) {
      if (this.#counts[place] === 0) continue;
      const held = this.#cuts.get(keys[place] as string);
      if (held && isCut(held.cut, facts)) return true;
    }
    return false;
  }

  /**
   * Whether `ends` can be believed when it is false. Not when there is a cut of a kind that this version does not know, nor when a
   * credential of an older version does not say whether a cut of a tenant or a login ends its session.
   */
  knows({ facts }: Watched): boolean {
    if (this.#held(NEWER) > 0) return false;
    return facts.tenant !== null || this.#held(TENANT) + this.#held(LOGIN) === 0;
  }

  /** Whether a cut of the session's user has spared it: then its tokens may be older than the user's role. */
  spares({ facts, keys }: Watched): boolean {
    return this.#cuts.get(keys[USER] as string)?.cut.exceptSession === loginSidOf(facts);
  }

  /** Whether a verifier of version 1 of the feed understands all cuts in here. */
  suitsVersion1(nowMs: number): boolean {
    this.forget(nowMs);
    for (let place = KINDS_OF_VERSION_1; place <= NEWER; place++) if (this.#held(place) > 0) return false;
    return true;
  }

  /** Whether every session that the ending ends is over here. Changes of users are in no replica: then false. */
  holds({ ids, cuts, changed }: Ending): boolean {
    return (
      changed.length === 0 &&
      ids.every((sid) => this.#ids.has(sessionKey(sid))) &&
      cuts.every((cut) => {
        const there = this.#cuts.get(cut.key)?.cut;
        return there !== undefined && isSame(mergeCuts(there, cut), there);
      })
    );
  }

  /** Drops old entries. Cheap, and called before anything is added. */
  forget(nowMs: number): void {
    const stepMs = this.#keepMs / EndedIds.sweeps;
    // After two full rounds all earlier entries are gone.
    const due = Math.min(Math.floor((nowMs - this.#sweptMs) / stepMs), 2 * EndedIds.sweeps);
    if (due <= 0) return;
    for (let i = 0; i < due; i++) this.#ids.sweep();
    this.#sweptMs = due === 2 * EndedIds.sweeps ? nowMs : this.#sweptMs + due * stepMs;
    for (const [key, { heardMs }] of this.#cuts) {
      if (nowMs - heardMs <= this.#keepMs) break;
      this.#cuts.delete(key);
      this.#count(key, -1);
    }
  }

  /** All entries, in pieces, for another replica. Entries that arrive meanwhile may be missing: send those besides. */
  *parts(): Generator<Part> {
    let cuts: KeyedCut[] = [];
    for (const [key, { cut }] of this.#cuts) {
      cuts.push({ key, ...cut });
      if (cuts.length === PART) {
        yield { cuts };
        cuts = [];
      }
    }
    if (cuts.length > 0) yield { cuts };
    for (const ids of this.#ids.chunks(PART)) yield { ids };
  }

  /** The number of ended ids and of cuts, and the bytes of the ids' tables. */
  size(): { ids: number; cuts: number; bytes: number } {
    return { ids: this.#ids.size, cuts: this.#cuts.size, bytes: this.#ids.bytes };
  }
}

const isSame = (a: Cut, b: Cut): boolean =>
  a.position === b.position && a.base === b.base && a.exceptSession === b.exceptSession;

/** Cuts or ids in a piece: some tens of kilobytes, and about a millisecond. */
const PART = 2000;
