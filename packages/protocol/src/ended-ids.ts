/**
 * The ids of ended sessions, kept while a credential of theirs could still be valid, in at most 24 bytes each.
 *
 * A session id is a UUID with 74 random bits or more. Of its 128 bits 95 are kept: the random ones and the lower part of its
 * time. Two ids of one deployment agree in these as rarely as two UUIDs of the same millisecond are equal, and no outsider
 * chooses ids.
 *
 * The keys lie in many tables, each of which grows and is swept by itself, so nothing stops to copy ten million entries. A table
 * has a filter, eight bits a place, of which each key sets three: nearly every look-up is for an absent id and ends with one word
 * of it, in a branch that the processor predicts. The keys themselves are three 32-bit words each, in open addressing and in
 * order: a look-up ends at the first key that is not smaller. One bit of a key is the period of its table in which it came; a
 * sweep drops the older period.
 *
 * The keys of a table lie in pages of one size, which are used again. If each table were one array, every growth would leave a
 * gap in the process's memory that no later, larger array fits into: half as much again as the tables.
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
/** A table grows by a quarter when it is four fifths full: 16 to 22 bytes a key, with the filter. */
const FULLEST = 0.8;
const GROWTH = 1.25;
const SMALLEST = 8;
/** The places of a page. The last one of a small table may have fewer. */
const PAGE_BITS = 12;
const PAGE = 2 ** PAGE_BITS;
/** The slots after the last place of a page, for keys that are pushed beyond it. */
const BEYOND = 16;
/** The words of a page of full size. */
const FULL = (PAGE + BEYOND) * WORDS;
/** The bit of a key's third word that holds its period, and the other bits. */
const PERIOD = 1 << 31;
const KEY = ~PERIOD;
/** The first word of a free slot, larger than any key's. */
const FREE = 2 ** 31 - 1;
/** The pages and the filter of an empty table. */
const NONE: Int32Array[] = [];
const NO_FILTER = new Int32Array(1);

export class EndedIds {
  /**
   * The pages of each table, cut into slots: a key's `c`, `b`, and `a` with its period. Keys are in the order of `c`, each at its
   * place or after it in the same page, with no free slot in between. The last slot of a page is always free.
   */
  readonly #pages: Int32Array[][] = Array.from({ length: TABLES }, () => NONE);
  readonly #filters: Int32Array[] = Array.from({ length: TABLES }, () => NO_FILTER);
  /** The number of places in each table, and of keys. */
  readonly #slots = new Int32Array(TABLES);
  readonly #used = new Int32Array(TABLES);
  /** The bit that the keys of each table get now: 0 or PERIOD. */
  readonly #period = new Int32Array(TABLES);
  /** Pages of full size that no table uses. */
  readonly #spare: Int32Array[] = [];
  #size = 0;
  #sweeping = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of the tables. */
  get bytes(): number {
    const pages = [...this.#pages.flat(), ...this.#filters, ...this.#spare];
    return pages.reduce((bytes, words) => bytes + words.byteLength, 0);
  }

  has({ a, b, c }: SessionKey): boolean {
    const at = b & (TABLES - 1);
    const slots = this.#slots[at] as number;
    const order = ordered(c);
    const place = placeOf(order, slots);
    const filter = this.#filters[at] as Int32Array;
    const bits = filterBits(order);
    if (((filter[place >>> 2] as number) & bits) !== bits) return false;
    const words = (this.#pages[at] as Int32Array[])[place >>> PAGE_BITS] as Int32Array;
    let slot = slotOf(place);
    while ((words[slot] as number) < order) slot += WORDS;
    for (; words[slot] === order; slot += WORDS)
      if (words[slot + 1] === b && ((words[slot + 2] as number) & KEY) === a) return true;
    return false;
  }

  /** Adds a key, or renews its period. */
  add({ a, b, c }: SessionKey): void {
    const at = b & (TABLES - 1);
    if (this.#slots[at] === 0) this.#move(at, SMALLEST);
    const slots = this.#slots[at] as number;
    const order = ordered(c);
    const place = placeOf(order, slots);
    const pages = this.#pages[at] as Int32Array[];
    const words = pages[place >>> PAGE_BITS] as Int32Array;
    const last = a | (this.#period[at] as number);
    let slot = slotOf(place);
    while ((words[slot] as number) < order) slot += WORDS;
    for (; words[slot] === order; slot += WORDS)
      if (words[slot + 1] === b && ((words[slot + 2] as number) & KEY) === a) {
        words[slot + 2] = last;
        return;
      }
    let free = slot;
    while (words[free] !== FREE) free += WORDS;
    const roomy = (pages[place >>> PAGE_BITS] = withRoom(words, free));
    if (free > slot) roomy.copyWithin(slot + WORDS, slot, free);
    write(roomy, slot, order, b, last);
    mark(this.#filters[at] as Int32Array, place, order);
    this.#size++;
    const used = (this.#used[at] as number) + 1;
    this.#used[at] = used;
    if (used > slots * FULLEST) this.#move(at, Math.ceil(slots * GROWTH));
  }

  /**
   * Sweeps one of the tables: drops the keys that were there at its last sweep and have not come again since. Call it
   * `EndedIds.sweeps` times, evenly, within the time for which keys must stay: each then stays for at least that long, and at
   * most twice as long.
   */
  sweep(): void {
    const at = this.#sweeping;
    this.#sweeping = (at + 1) & (TABLES - 1);
    const stays = this.#period[at] as number;
    let staying = 0;
    for (const words of this.#pages[at] as Int32Array[])
      for (let slot = 0; slot < words.length; slot += WORDS)
        if (words[slot] !== FREE && ((words[slot + 2] as number) & PERIOD) === stays) staying++;
    this.#period[at] = stays ^ PERIOD;
    const slots = Math.max(SMALLEST, Math.ceil(staying / (FULLEST / GROWTH ** 0.5)));
    this.#move(at, staying === 0 ? 0 : slots, stays ^ PERIOD);
  }

  /** The number of sweeps that drop the older half of everything. */
  static readonly sweeps: number = TABLES;

  /** Rebuilds a table with at least so many places, without the keys of the period to drop. */
  #move(at: number, atLeast: number, drop?: number): void {
    // A part of a page is a small loss for a small table alone.
    const slots = atLeast < 4 * PAGE ? atLeast : Math.ceil(atLeast / PAGE) * PAGE;
    const left = this.#pages[at] as Int32Array[];
    const pages = this.#take(slots);
    const filter = slots === 0 ? NO_FILTER : new Int32Array((slots + 3) >>> 2);
    let used = 0;
    let page = 0;
    let next = 0;
    for (const words of left)
      for (let from = 0; from < words.length; from += WORDS) {
        const order = words[from] as number;
        const last = words[from + 2] as number;
        if (order === FREE || (last & PERIOD) === drop) continue;
        // Keys come in their order: each goes to its place, or behind the one before.
        const place = placeOf(order, slots);
        if (place >>> PAGE_BITS !== page) next = 0;
        page = place >>> PAGE_BITS;
        const slot = Math.max(next, slotOf(place));
        const to = (pages[page] = withRoom(pages[page] as Int32Array, slot));
        write(to, slot, order, words[from + 1] as number, last);
        mark(filter, place, order);
        next = slot + WORDS;
        used++;
      }
    this.#size += used - (this.#used[at] as number);
    this.#pages[at] = pages;
    this.#filters[at] = filter;
    this.#slots[at] = slots;
    this.#used[at] = used;
    this.#spare.push(...left.filter(({ length }) => length === FULL));
    // As many as the next table to grow may need.
    this.#spare.length = Math.min(this.#spare.length, Math.ceil(pages.length * GROWTH));
  }

  /** Empty pages for so many places. */
  #take(slots: number): Int32Array[] {
    if (slots === 0) return NONE;
    return Array.from({ length: Math.ceil(slots / PAGE) }, (_, page) => {
      const length = (Math.min(slots - page * PAGE, PAGE) + BEYOND) * WORDS;
      const words = (length === FULL ? this.#spare.pop() : undefined) ?? new Int32Array(length);
      return words.fill(FREE);
    });
  }

  /** The keys, in portions. Keys that come or go meanwhile may be missing. */
  *chunks(size: number): Generator<SessionKey[]> {
    let keys: SessionKey[] = [];
    for (let at = 0; at < TABLES; at++)
      // A table may be rebuilt at any yield: the order of the keys is what remains.
      for (let order = -(2 ** 31); order < FREE; ) {
        order = this.#list(at, order, size, keys);
        if (keys.length < size) continue;
        yield keys;
        keys = [];
      }
    if (keys.length > 0) yield keys;
  }

  /**
   * Lists keys of a table from a place in their order on, until there are enough.
   * @returns where to go on; FREE at the end
   */
  #list(at: number, from: number, size: number, keys: SessionKey[]): number {
    const slots = this.#slots[at] as number;
    const pages = this.#pages[at] as Int32Array[];
    const place = placeOf(from, slots);
    for (let page = place >>> PAGE_BITS; page < pages.length; page++) {
      const words = pages[page] as Int32Array;
      const start = page === place >>> PAGE_BITS ? slotOf(place) : 0;
      for (let slot = start; slot < words.length; slot += WORDS) {
        const c = words[slot] as number;
        if (c === FREE || c < from) continue;
        // Keys that have the same order stay together.
        if (keys.length >= size && c !== keys.at(-1)?.c) return c;
        keys.push({ a: (words[slot + 2] as number) & KEY, b: words[slot + 1] as number, c });
      }
    }
    return FREE;
  }
}

/** The sort order of keys. One value marks a free slot: the key that has it shares its neighbour's. */
const ordered = (c: number): number => (c === FREE ? FREE - 1 : c);

/** The place of a key: its order, spread over the places of its table. */
const placeOf = (order: number, slots: number): number => Math.trunc((order + 2 ** 31) * (slots / 2 ** 32));

/** The slot of a place, in its page. */
const slotOf = (place: number): number => (place & (PAGE - 1)) * WORDS;

/** Three bits, from the end of the order: its beginning chose the place. */
const filterBits = (order: number): number => (1 << order) | (1 << (order >>> 5)) | (1 << (order >>> 10));

function write(words: Int32Array, slot: number, order: number, b: number, last: number): void {
  words[slot] = order;
  words[slot + 1] = b;
  words[slot + 2] = last;
}

/** The page, or a longer one, so that the slot can be filled and the last one is free. */
function withRoom(words: Int32Array, slot: number): Int32Array {
  if (slot + WORDS < words.length) return words;
  const longer = new Int32Array(words.length + BEYOND * WORDS).fill(FREE, words.length);
  longer.set(words);
  return longer;
}

/** Sets a key's bits in the filter, of which four places share a word. */
function mark(filter: Int32Array, place: number, order: number): void {
  filter[place >>> 2] = (filter[place >>> 2] as number) | filterBits(order);
}
