/**
 * The ids of ended sessions, kept while a credential of theirs could still be valid, in at most 24 bytes each.
 *
 * A session id is a UUID with 74 random bits or more. Of its 128 bits 95 are kept: the random ones and the lower part of its
 * time. Two ids of one deployment agree in these as rarely as two UUIDs of the same millisecond are equal, and no outsider
 * chooses ids.
 *
 * The keys lie in many small tables, each of which grows and is swept by itself, so nothing stops to copy ten million entries. A
 * table begins with a filter, eight bits a slot, of which each key sets one: nearly every look-up is for an absent id and ends
 * with that one bit, which the processor predicts. Then come the keys, three 32-bit words each, in open addressing and in order:
 * a look-up ends at the first key that is not smaller. One bit of a key is the period of its table in which it came; a sweep
 * drops the older period.
 */

/**
 * The 95 bits of a session id, in three signed 32-bit words (V8 keeps those unboxed). Parse once and keep: parsing costs more
 * than a look-up.
 */
export interface SessionKey {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** @throws Error when `sid` is not a UUID: 36 characters, hexadecimal, with hyphens */
export function sessionKey(sid: string): SessionKey {
  if (sid.length !== 36) throw new Error('a session id must be a UUID of 36 characters');
  // time-low time-mid ver/rand_a var/rand_b rand_b
  // 01234567-9012-4567-9012-456789012345
  const timeLow = hex(sid, 4, 8);
  const a = ((hex(sid, 9, 13) << 12) | hex(sid, 15, 18)) & 0x7fffffff;
  const b = (hex(sid, 19, 23) << 16) | hex(sid, 24, 28);
  const c = (hex(sid, 28, 32) << 16) | hex(sid, 32, 36);
  // The variant's two bits are the same in every UUID: two bits of the time replace them.
  return { a, b: (b & 0x3fffffff) | (timeLow << 30), c };
}

function hex(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    const digit = code <= 57 ? code - 48 : (code | 32) - 87;
    if (digit < 0 || digit > 15) throw new Error('a session id must be a UUID');
    value = (value << 4) | digit;
  }
  return value;
}

const WORDS = 3;
/** Few enough for the processor's cache to hold all table heads, many enough that a table grows in milliseconds at ten million ids. */
const TABLE_BITS = 7;
const TABLES = 2 ** TABLE_BITS;
/** A table grows by a quarter when it is four fifths full: 16 to 21 bytes a key, with the filter. */
const FULLEST = 0.8;
const GROWTH = 1.25;
const SMALLEST = 8;
/** The bit of a key's third word that holds its period, and the other bits. */
const PERIOD = 1 << 31;
const KEY = ~PERIOD;
/** The first word of a free slot, larger than any key's. */
const FREE = 2 ** 31 - 1;
/** An empty table. */
const NONE = new Int32Array(1);
const NO_TABLES: readonly undefined[] = Array.from({ length: TABLES }, () => undefined);
const NO_WORDS: readonly Int32Array[] = Array.from({ length: TABLES }, () => NONE);

/**
 * One table: the filter, then the slots. A slot is the key's `c`, `b`, and `a` with its period. Keys are in the order of `c`,
 * each at its place or after it, with no free slot in between. The last slot is always free. `period` is the bit that keys get
 * now: 0 or PERIOD.
 */
interface Table {
  words: Int32Array;
  slots: number;
  used: number;
  period: number;
}

export class EndedIds {
  readonly #tables: (Table | undefined)[] = NO_TABLES.slice();
  // Copies of the tables' words and sizes, side by side, so that a look-up touches memory as rarely as it can.
  readonly #words: Int32Array[] = NO_WORDS.slice();
  readonly #slots = new Int32Array(TABLES);
  #size = 0;
  #sweeping = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of the tables. */
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
   * Sweeps one of the tables: drops the keys that were there at its last sweep and have not come again since. Call it
   * `EndedIds.sweeps` times, evenly, within the time for which keys must stay: each then stays for at least that long, and at
   * most twice as long.
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

  /** The number of sweeps that drop the older half of everything. */
  static readonly sweeps: number = TABLES;

  /** The keys, in portions. Keys that come or go meanwhile may be missing. */
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

/** The slots after the last place, for keys that are pushed beyond it. */
const BEYOND = 8;

const empty = (slots: number, period: number): Table => ({
  words: new Int32Array(filterWords(slots) + (slots + BEYOND) * WORDS).fill(FREE, filterWords(slots)),
  slots,
  used: 0,
  period,
});

/** The sort order of keys. One value marks a free slot: the key that has it shares its neighbour's. */
const ordered = (c: number): number => (c === FREE ? FREE - 1 : c);

/** The place of a key: its order, spread over the slots. */
const place = (order: number, slots: number): number =>
  filterWords(slots) + Math.trunc((order + 2 ** 31) * (slots / 2 ** 32)) * WORDS;

/** Eight bits a slot, rounded up to words. */
const filterWords = (slots: number): number => (slots + 3) >>> 2;

/** The bit of the filter that a key sets, by the bits of `b` that did not choose the table. */
const filterBit = (b: number, slots: number): number =>
  Math.trunc((b >>> TABLE_BITS) * ((slots * 8) / 2 ** (32 - TABLE_BITS)));

/** Inserts a key, or renews its period. */
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

/** Rebuilds the table: larger, or swept, which drops the older period and turns the periods. */
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
