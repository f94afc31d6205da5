import { EndedIds, type SessionKey } from '@curfew/protocol/ended-ids';
import { median } from '../figure.ts';

/** The memory of ended sessions alone, in a process of its own, so that the figures are those of the table. */
export interface ReplicaFigures {
  entries: number;
  bytesEach: number;
  /** By how much the process grew. */
  residentBytesEach: number;
  hitsPerSecond: number;
  missesPerSecond: number;
  /** Bare random reads of as much memory: the best that the machine allows. */
  readsPerSecond: number;
  addsPerSecond: number;
  problems: string[];
}

const SEED = 0x2545f491;
/** Looks keys up in an order that no cache of the processor can predict. */
const LOOKED_UP = 500_000;

function random(seed: number): () => number {
  let state = seed;
  return () => {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state | 0;
  };
}

function key(next: () => number): SessionKey {
  return { a: next() & 0x7fffffff, b: next(), c: next() };
}

function measure(entries: number): ReplicaFigures {
  fillYoungGeneration();
  const ids = new EndedIds();
  const before = process.memoryUsage().rss;
  const startMs = cpuMs();
  const next = random(SEED);
  for (let i = 0; i < entries; i += 1) ids.add(key(next));
  const addMs = cpuMs() - startMs;
  globalThis.gc?.();
  const resident = process.memoryUsage().rss - before;
  const elsewhere = random(0x1b873593);
  // Makes each key again in the order of the lookups: a checker has the key at hand, with the session.
  const asked = shuffled(sample(entries), next).map((one) => ({ ...one }));
  const absent = Array.from({ length: LOOKED_UP }, () => key(elsewhere));
  const words = new Int32Array(ids.bytes / Int32Array.BYTES_PER_ELEMENT).fill(1);
  const place = ({ b }: SessionKey): number => Math.floor(((b >>> 0) / 2 ** 32) * words.length);
  const problems: string[] = [];
  const lookUp = (keys: SessionKey[], has: (one: SessionKey) => boolean, expected: boolean): number => {
    const passes: number[] = [];
    for (let pass = 0; pass < 16; pass += 1) {
      let found = 0;
      const fromMs = cpuMs();
      for (const one of keys) if (has(one)) found += 1;
      const perSecond = keys.length / ((cpuMs() - fromMs) / 1000);
      if (found !== (expected ? keys.length : 0)) problems.push(`${found} of ${keys.length} found`);
      // The first pass warms up the compiler.
      if (pass > 0) passes.push(perSecond);
    }
    return median(passes);
  };
  return {
    entries: ids.size,
    bytesEach: ids.bytes / ids.size,
    residentBytesEach: resident / ids.size,
    hitsPerSecond: lookUp(asked, (one) => ids.has(one), true),
    missesPerSecond: lookUp(absent, (one) => ids.has(one), false),
    readsPerSecond: lookUp(asked, (one) => words[place(one)] === 1, true),
    addsPerSecond: entries / (addMs / 1000),
    problems,
  };
}

/** Processor time of this process: other processes do not stretch it. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** V8's young generation grows to its full size in any process that does something: that is no memory of ids. */
function fillYoungGeneration(): void {
  const next = random(SEED);
  const kept: SessionKey[] = [];
  for (let i = 0; i < 3_000_000; i += 1) kept[i & 0xffff] = key(next);
  globalThis.gc?.();
}

/** Every so many of the added keys, made again: kept from the start, they would be counted as memory of the ids. */
function sample(entries: number): SessionKey[] {
  const step = Math.max(1, Math.floor(entries / LOOKED_UP));
  const next = random(SEED);
  const keys: SessionKey[] = [];
  for (let i = 0; i < entries; i += 1) {
    const one = key(next);
    if (i % step === 0) keys.push(one);
  }
  return keys;
}

function shuffled(keys: readonly SessionKey[], next: () => number): SessionKey[] {
  const order = [...keys];
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = (next() >>> 0) % (i + 1);
    [order[i], order[j]] = [order[j] as SessionKey, order[i] as SessionKey];
  }
  return order;
}

process.on('message', ({ entries }: { entries: number }) => process.send?.({ result: measure(entries) }));
process.on('disconnect', () => process.exit());
process.send?.({ ready: true });
