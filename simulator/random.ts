/** One random stream, which its seed determines (sfc32 by Chris Doty-Humphrey, public domain). */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = (seed / 0x1_0000_0000) | 0;
    this.#c = 0x9e3779b9 | 0;
    for (let i = 0; i < 12; i++) this.word();
  }

  /** 32 bits, signed. */
  word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum;
  }

  /** At least 0, below 1. */
  part(): number {
    return (this.word() >>> 0) / 0x1_0000_0000;
  }

  chance(of: number): boolean {
    return this.part() < of;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.part();
  }

  /** A whole number at least 0 and below `count`. */
  below(count: number): number {
    return Math.floor(this.part() * count);
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('there is nothing to pick from');
    return list[this.below(list.length)] as T;
  }

  /** A UUID of version 7, the time in it being `ms`. */
  uuid(ms: number): string {
    const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');
    const time = Math.floor(ms).toString(16).padStart(12, '0');
    const [x, y, z] = [this.word(), this.word(), this.word()];
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(x & 0xfff, 3)}-${hex(0x8000 | (y & 0x3fff), 4)}-${hex(y >>> 16, 4)}${hex(z, 8)}`;
  }
}
