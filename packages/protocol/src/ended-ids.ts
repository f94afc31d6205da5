/**
 * The ids of ended sessions, kept for as long as a credential of theirs could still be valid, in at most 24 bytes each.
 *
 * A session id is a UUID with 74 random bits or more. Of its 128 bits 95 are kept: the 74 random ones and the lower
 * part of its time. That two sessions of one deployment agree in all of them is as likely as that two UUIDs of the same
 * millisecond are equal; nobody outside chooses ids, so nobody can bring it about.
 *
 * The keys lie in many small tables, so that one of them grows or is swept by itself, and nothing ever stops
 * to copy ten million entries. A table begins with a filter, eight bits a slot, of which each key sets one: nearly every look
 * is for an id that is not there, and ends with that one bit, which the processor foresees. After it come the keys, three
 * 32-bit words each: open addressing in order, so that a look ends at the first key that is not smaller. Each key carries
 * one bit that says in which of its table's two periods it came; a sweep lets the older period go.
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
/** Few enough that the processor has all their heads at hand, many enough that to grow one at ten million ids takes milliseconds. */
const TABLE_BITS = 7;
const TABLES = 2 ** TABLE_BITS;
/** Tables grow by a quarter when four fifths full: 16 to 21 bytes a key, the filter included. */
const FULLEST = 0.8;
const GROWTH = 1.25;
const SMALLEST = 8;
/** The bit of a key's third word that tells its period, and the others. */
const PERIOD = 1 << 31;
const KEY = ~PERIOD;
/** The first word of a free slot. It is larger than any key's. */
const FREE = 2 ** 31 - 1;
/** A table that holds nothing. */
const NONE = new Int32Array(1);
const NO_TABLES: readonly undefined[] = Array.from({ length: TABLES }, () => undefined);
const NO_WORDS: readonly Int32Array[] = Array.from({ length: TABLES }, () => NONE);

/**
 * One table: the filter, then the slots. A slot is the key's `c`, `b`, and `a` with its period. Keys are in the order of
 * `c`, each at its place or after it, and no slot between the two is free. The last slot always is.
 * `period` is the bit that keys are given now: 0 or PERIOD.
 */
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
  readonly #slots = new Int32Array(TABLES);
  #size = 0;
  #sweeping = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of the tables themselves. */
  get bytes(): number {
    return this.#words.reduce((bytes, words) => bytes + words.byteLength, 0);
  }

  add(key: SessionKey): void {
    const at = key.b & (TABLES - 1);
    const table = this.#tables[at] ?? this.#set(at, empty(SMALLEST, 0));
    const { words, used } = table;
    put(table, key, table.period);
    this.#size += table.used - used;
    if (table.used > table.slots * FULLEST)
      this.#set(at, moved(table, Math.ceil(table.slots * GROWTH), false));
    else if (table.words !== words) this.#set(at, table);
  }

  #set(at: number, table: Table): Table {
    this.#tables[at] = table;
    this.#words[at] = table.words;
    this.#slots[at] = table.slots;
    return table;
  }

  has({ a, b, c }: SessionKey): boolean {
    const words = this.#words[b & (TABLES - 1)] as Int32Array;
    const slots = this.#slots[b & (TABLES - 1)] as number;
    const bit = filterBit(b, slots);
    if ((((words[bit >>> 5] as number) >>> (bit & 31)) & 1) === 0) return false;
    const order = ordered(c);
    let at = place(order, slots);
    while ((words[at] as number) < order) at += WORDS;
    for (; words[at] === order; at += WORDS)
      if (words[at + 1] === b && ((words[at + 2] as number) & KEY) === a) return true;
    return false;
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
      this.#slots[at] = 0;
    }
  }

  /** How many sweeps let the older half of everything go. */
  static readonly sweeps: number = TABLES;

  /** The keys, so many at a time. Keys that come or go while this is under way may be missing or not. */
  *chunks(size: number): Generator<SessionKey[]> {
    let keys: SessionKey[] = [];
    for (const table of this.#tables) {
      if (table === undefined) continue;
      const { words } = table;
      for (let at = filterWords(table.slots); at < words.length; at += WORDS) {
        if (words[at] === FREE) continue;
        keys.push(keyAt(words, at));
        if (keys.length < size) continue;
        yield keys;
        keys = [];
      }
    }
    if (keys.length > 0) yield keys;
  }
}

const keyAt = (words: Int32Array, at: number): SessionKey => ({
  a: (words[at + 2] as number) & KEY,
  b: words[at + 1] as number,
  c: words[at] as number,
});

/** So many slots more than places take what is pushed beyond the last place. */
const BEYOND = 8;

const empty = (slots: number, period: number): Table => ({
  words: new Int32Array(filterWords(slots) + (slots + BEYOND) * WORDS).fill(FREE, filterWords(slots)),
  slots,
  used: 0,
  period,
});

/** What keys are in order of. One value says that a slot is free: the key that has it shares its neighbour's. */
const ordered = (c: number): number => (c === FREE ? FREE - 1 : c);

/** Where a key belongs: spread over the slots in its order. */
const place = (order: number, slots: number): number =>
  filterWords(slots) + Math.trunc((order + 2 ** 31) * (slots / 2 ** 32)) * WORDS;

/** Eight bits a slot, in whole words. */
const filterWords = (slots: number): number => (slots + 3) >>> 2;

/** Which bit of the filter a key sets: by those bits of `b` that did not choose the table. */
const filterBit = (b: number, slots: number): number =>
  Math.trunc((b >>> TABLE_BITS) * ((slots * 8) / 2 ** (32 - TABLE_BITS)));

/** Puts a key in, or renews its period. */
function put(table: Table, { a, b, c }: SessionKey, period: number): void {
  let { words } = table;
  const order = ordered(c);
  let at = place(order, table.slots);
  while ((words[at] as number) < order) at += WORDS;
  for (; words[at] === order; at += WORDS)
    if (words[at + 1] === b && ((words[at + 2] as number) & KEY) === a) {
      words[at + 2] = a | period;
      return;
    }
  let free = at;
  while (words[free] !== FREE) free += WORDS;
  if (free + WORDS === words.length) {
    words = new Int32Array(words.length + BEYOND * WORDS).fill(FREE, words.length);
    words.set(table.words);
    table.words = words;
  }
  words.copyWithin(at + WORDS, at, free);
  const bit = filterBit(b, table.slots);
  words[bit >>> 5] = (words[bit >>> 5] as number) | (1 << (bit & 31));
  words[at] = order;
  words[at + 1] = b;
  words[at + 2] = a | period;
  table.used++;
}

/** The table anew: with more room, or swept, without the keys of its older period and with its periods turned. */
function moved(table: Table, slots: number, sweep: boolean): Table {
  const { words, period } = table;
  const stays = (at: number): boolean =>
    words[at] !== FREE && !(sweep && ((words[at + 2] as number) & PERIOD) !== period);
  let room = slots;
  if (sweep) {
    let staying = 0;
    for (let at = filterWords(table.slots); at < words.length; at += WORDS) if (stays(at)) staying++;
    room = Math.max(SMALLEST, Math.ceil(staying / (FULLEST / GROWTH ** 0.5)));
  }
  const to = empty(room, sweep ? period ^ PERIOD : period);
  for (let at = filterWords(table.slots); at < words.length; at += WORDS)
    if (stays(at)) put(to, keyAt(words, at), (words[at + 2] as number) & PERIOD);
  return to;
}
