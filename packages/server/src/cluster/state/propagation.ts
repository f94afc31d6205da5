import type { Propagation } from '@curfew/protocol/node';

/** A span of time in the life of this node. Milliseconds; null where nothing was confirmed in it. */
interface PropagationSpan {
  /** Its beginning, in milliseconds since 1970. */
  atMs: number;
  /** Confirmations: logouts that are committed together share one. */
  count: number;
  p50: number | null;
  p99: number | null;
  max: number | null;
  /** Replicas whose lease expired. */
  waitedOut: number;
}

const SPAN_MS = 5000;
/** Ten minutes. */
const SPANS = 120;

/* Durations are counted in steps of a twentieth, from a hundredth of a millisecond to some minutes, so any number takes constant memory. */
const SMALLEST_MS = 0.01;
const STEP = 1.05;
const STEPS = 360;

/** How long recent confirmations took, in memory. Metrics keep what is older than ten minutes. */
export class PropagationHistory {
  readonly spanMs: number = SPAN_MS;
  readonly #spans: PropagationSpan[] = [];
  readonly #counts = new Uint32Array(STEPS);
  readonly #nowMs: () => number;
  #atMs: number;
  #count = 0;
  #max = 0;
  #waitedOut = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#atMs = beginOf(nowMs());
  }

  confirmed(ms: number, { waitedOut }: Propagation): void {
    this.#turn();
    const step = stepOf(ms);
    this.#counts[step] = (this.#counts[step] ?? 0) + 1;
    this.#count++;
    this.#max = Math.max(this.#max, ms);
    this.#waitedOut += waitedOut;
  }

  /** Oldest first, the present one last. */
  spans(): PropagationSpan[] {
    this.#turn();
    return [...this.#spans, this.#present()];
  }

  #present(): PropagationSpan {
    const none = this.#count === 0;
    return {
      atMs: this.#atMs,
      count: this.#count,
      p50: none ? null : this.#quantile(0.5),
      p99: none ? null : this.#quantile(0.99),
      max: none ? null : round(this.#max),
      waitedOut: this.#waitedOut,
    };
  }

  #quantile(share: number): number {
    let left = Math.ceil(share * this.#count);
    const step = this.#counts.findIndex((count) => (left -= count) <= 0);
    return round(Math.min(this.#max, SMALLEST_MS * STEP ** (step + 1)));
  }

  /** Stores the present span when its time is over; spans in which nothing happened count too. */
  #turn(): void {
    const now = beginOf(this.#nowMs());
    // A clock that was set back does not restart a span.
    if (now <= this.#atMs) return;
    const passed = Math.min((now - this.#atMs) / SPAN_MS, SPANS + 1);
    this.#spans.push(this.#present());
    this.#counts.fill(0);
    this.#count = 0;
    this.#max = 0;
    this.#waitedOut = 0;
    for (let i = passed - 1; i >= 1; i--) {
      this.#atMs = now - i * SPAN_MS;
      this.#spans.push(this.#present());
    }
    this.#atMs = now;
    this.#spans.splice(0, Math.max(0, this.#spans.length - SPANS));
  }
}

const beginOf = (ms: number): number => Math.floor(ms / SPAN_MS) * SPAN_MS;

const round = (ms: number): number => Math.round(ms * 100) / 100;

function stepOf(ms: number): number {
  if (ms <= SMALLEST_MS) return 0;
  return Math.min(STEPS - 1, Math.floor(Math.log(ms / SMALLEST_MS) / Math.log(STEP)));
}
