/**
 * The ids of ended sessions, kept for as long as a credential of theirs could still be valid, in at most 24 bytes each.
 *
 * A session id is a UUID with 74 random bits or more. Of its 128 bits 95 are kept: the 74 random ones and the lower
 * part of its time. That two sessions of one deployment agree in all of them is as likely as that two UUIDs of the same
 * millisecond are equal; nobody outside chooses ids, so nobody can bring it about.
 *
 * The keys lie in many small tables (open addressing, three 32-bit words a key), so that one of them grows or is swept
 * in well under a millisecond, and nothing ever stops to copy ten million entries. Each key carries one bit that says
 * in which of its table's two periods it came; a sweep lets the older period go.
 */

/** The 95 bits of a session id, in three signed 32-bit words (V8 keeps those unboxed). Parse once and keep: a look costs less than parsing. */
export interface SessionKey {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** @throws Error when `sid` is no UUID: 36 characters, hexadecimal, with hyphens */
export function sessionKey(sid: string): SessionKey {
  if (sid.length !== 36) throw new Error('a session id is a UUID of 36 characters');
  // time-low time-mid ver/rand_a var/rand_b rand_b
  // 01234567-9012-4567-9012-456789012345
  const timeLow = hex(sid, 4, 8);
  const a = ((hex(sid, 9, 13) << 12) | hex(sid, 15, 18)) & 0x7fffffff;
  const b = (hex(sid, 19, 23) << 16) | hex(sid, 24, 28);
  const c = (hex(sid, 28, 32) << 16) | hex(sid, 32, 36);
  // The variant's two bits are the same in every UUID: bits of the time take their place.
  return { a, b: (b & 0x3fffffff) | (timeLow << 30), c };
}

function hex(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    const digit = code <= 57 ? code - 48 : (code | 32) - 87;
    if (digit < 0 || digit > 15) throw new Error('a session id is a UUID');
    value = (value << 4) | digit;
  }
  return value;
}

const WORDS = 3;
const TABLES = 1024;
/** Tables grow by half when three quarters full: never below half full afterwards, 16 to 24 bytes a key. */
const FULLEST = 0.75;
const GROWTH = 1.5;
const SMALLEST = 8;
/** The bit of a key's first word that tells its period, and the others. */
const PERIOD = 1 << 31;
const KEY = ~PERIOD;
/** A table that holds nothing. */
const NONE = new Int32Array(WORDS);
const NO_TABLES: readonly undefined[] = Array.from({ length: TABLES }, () => undefined);
const NO_WORDS: readonly Int32Array[] = Array.from({ length: TABLES }, () => NONE);

/** One table. `period` is the bit that keys are given now: 0 or PERIOD. */
interface Table {
  words: Int32Array;
  slots: number;
  used: number;
  period: number;
}

export class EndedIds {
  readonly #tables: (Table | undefined)[] = NO_TABLES.slice();
  // The tables' words and sizes once more, side by side: a look goes to memory as few times as it can.
  readonly #words: Int32Array[] = NO_WORDS.slice();
  readonly #slots = new Int32Array(TABLES).fill(1);
  #size = 0;
  #sweeping = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of the tables themselves. */
  get bytes(): number {
    return this.#words.reduce((bytes, words) => bytes + words.byteLength, 0);
  }

  add({ a, b, c }: SessionKey): void {
    const at = c & (TABLES - 1);
    const table = this.#tables[at] ?? this.#set(at, empty(SMALLEST, 0));
    this.#size += put(table, a, b, c, table.period);
    if (table.used > table.slots * FULLEST)
      this.#set(at, moved(table, Math.ceil(table.slots * GROWTH), false));
  }

  #set(at: number, table: Table): Table {
    this.#tables[at] = table;
    this.#words[at] = table.words;
    this.#slots[at] = table.slots;
    return table;
  }

  has({ a, b, c }: SessionKey): boolean {
    const words = this.#words[c & (TABLES - 1)] as Int32Array;
    let at = place(b, this.#slots[c & (TABLES - 1)] as number) * WORDS;
    for (;;) {
      const word = words[at + 1] as number;
      if (word === b && words[at + 2] === c && ((words[at] as number) & KEY) === a) return true;
      if (word === 0 && words[at + 2] === 0 && words[at] === 0) return false;
      at += WORDS;
      if (at === words.length) at = 0;
    }
  }

  /**
   * Lets go, in one of the tables, of the keys that were there at its last sweep and have not come again since. Called
   * `EndedIds.sweeps` times within each span of time for which keys must stay, evenly: then each stays for at least that long,
   * and at most twice as long.
   */
  sweep(): void {
    const at = this.#sweeping;
    this.#sweeping = (at + 1) & (TABLES - 1);
    const table = this.#tables[at];
    if (table === undefined) return;
    const kept = moved(table, 0, true);
    this.#size -= table.used - kept.used;
    if (kept.used > 0) this.#set(at, kept);
    else {
      this.#tables[at] = undefined;
      this.#words[at] = NONE;
      this.#slots[at] = 1;
    }
  }

  /** How many sweeps let the older half of everything go. */
  static readonly sweeps: number = TABLES;

  /** The keys, a table at a time. Keys that come or go while this is under way may be missing or not. */
  *chunks(): Generator<SessionKey[]> {
    for (const table of this.#tables) {
      if (table === undefined) continue;
      const keys: SessionKey[] = [];
      const { words } = table;
      for (let at = 0; at < words.length; at += WORDS)
        if (taken(words, at))
          keys.push({
            a: (words[at] as number) & KEY,
            b: words[at + 1] as number,
            c: words[at + 2] as number,
          });
      yield keys;
    }
  }
}

const empty = (slots: number, period: number): Table => ({
  words: new Int32Array(slots * WORDS),
  slots,
  used: 0,
  period,
});

/** Spreads sixteen random bits over the slots without a division. Beyond 65,536 slots a table only gets slower. */
const place = (b: number, slots: number): number => Math.imul(b & 0xffff, slots) >>> 16;

/** Puts a key in, or renews its period. Answers how many keys more there are: 0 or 1. */
function put(table: Table, a: number, b: number, c: number, period: number): number {
  const { words, slots } = table;
  let slot = place(b, slots);
  for (;;) {
    const at = slot * WORDS;
    const there = (words[at] as number) & KEY;
    if (words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0) {
      words[at] = a | period;
      words[at + 1] = b;
      words[at + 2] = c;
      table.used++;
      return 1;
    }
    if (there === a && words[at + 1] === b && words[at + 2] === c) {
      words[at] = a | period;
      return 0;
    }
    if (++slot === slots) slot = 0;
  }
}

/** The table anew: with more room, or swept, without the keys of its older period and with its periods turned. */
function moved(table: Table, slots: number, sweep: boolean): Table {
  const { words, period } = table;
  const older = period ^ PERIOD;
  let room = slots;
  if (sweep) {
    let staying = 0;
    for (let at = 0; at < words.length; at += WORDS)
      if (taken(words, at) && ((words[at] as number) & PERIOD) === period) staying++;
    room = Math.max(SMALLEST, Math.ceil(staying / (FULLEST / GROWTH ** 0.5)));
  }
  const to = empty(room, sweep ? older : period);
  for (let at = 0; at < words.length; at += WORDS) {
    if (!taken(words, at)) continue;
    const a = words[at] as number;
    const born = a & PERIOD;
    if (sweep && born !== period) continue;
    put(to, a & KEY, words[at + 1] as number, words[at + 2] as number, born);
  }
  return to;
}

const taken = (words: Int32Array, at: number): boolean =>
  words[at] !== 0 || words[at + 1] !== 0 || words[at + 2] !== 0;
