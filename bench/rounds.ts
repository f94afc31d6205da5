import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './bench.ts';
import { median, type Figure } from './figure.ts';
import { watchForeignLoad } from './machine/foreign-load.ts';
import { type Busy, type Party, watchProcessorTime } from './machine/processor-time.ts';

/** The shares of one core that others may use before a round counts as disturbed. */
const FOREIGN_LIMIT = 0.1;
const STOLEN_LIMIT = 0.05;

/** /proc counts in hundredths of a second, so it cannot judge a shorter time. */
const SHORTEST_WATCHED_MS = 400;

export interface Measured {
  values: Record<string, number>;
  problems: string[];
}

export interface Entry {
  id: string;
  label: string;
  kind: Figure['kind'];
  durable?: boolean;
  /** `timed` wraps the measured part. Preparing credentials and proving logouts is not part of it. */
  measure(timed: <T>(work: () => Promise<T>) => Promise<T>, round: number): Promise<Measured>;
}

interface Tally {
  entry: Entry;
  rounds: Record<string, number>[];
  busy: Busy[];
  problems: string[];
  disturbed: number;
}

/**
 * Every entry once per round, in a rotating order, so that a slow minute of the machine affects all of them, and no entry always follows
 * the same neighbour.
 */
export async function measureInRounds(bench: Bench, entries: Entry[]): Promise<Figure[]> {
  const tallies = entries.map(
    (entry): Tally => ({ entry, rounds: [], busy: [], problems: [], disturbed: 0 }),
  );
  for (let round = 0; round < bench.options.rounds; round += 1) {
    const first = Math.floor((round * tallies.length) / bench.options.rounds);
    for (const tally of [...tallies.slice(first), ...tallies.slice(0, first)]) {
      // A void figure stays void, so it gets no further rounds.
      if (tally.problems.length === 0) await measureOnce(bench, tally, round);
    }
  }
  return tallies.map(toFigure);
}

async function measureOnce(bench: Bench, tally: Tally, round: number): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    await sleep(bench.options.settleMs);
    const attemptStart = performance.now();
    let disturbed = false;
    let busy: Busy = {};
    const timed = async <T>(work: () => Promise<T>): Promise<T> => {
      const start = performance.now();
      const stopWatching = watchForeignLoad(bench.pids);
      const stopCounting = watchProcessorTime(bench.services);
      const result = await work();
      busy = stopCounting();
      const load = stopWatching();
      const isLongEnough = performance.now() - start > SHORTEST_WATCHED_MS;
      disturbed =
        isLongEnough && load !== undefined && (load.foreign > FOREIGN_LIMIT || load.stolen > STOLEN_LIMIT);
      return result;
    };
    const measured = await tally.entry.measure(timed, round).catch((error: unknown) => ({
      values: {},
      problems: [error instanceof Error ? error.message : String(error)],
    }));
    if (disturbed && attempt === 0 && measured.problems.length === 0 && bench.repeatSecondsLeft > 0) {
      bench.repeatSecondsLeft -= (performance.now() - attemptStart) / 1000;
      continue;
    }
    if (disturbed) tally.disturbed += 1;
    tally.rounds.push(measured.values);
    tally.busy.push(busy);
    tally.problems.push(...measured.problems);
    bench.say(roundLine(tally, round, disturbed));
    return;
  }
}

function toFigure({ entry, rounds, busy, problems, disturbed }: Tally): Figure {
  const names = problems.length === 0 ? Object.keys(rounds[0] ?? {}) : [];
  const values = Object.fromEntries(
    names.map((name) => [name, median(rounds.map((round) => round[name] ?? 0))]),
  );
  return {
    id: entry.id,
    label: entry.label,
    kind: entry.kind,
    ...(entry.durable === undefined ? {} : { durable: entry.durable }),
    values,
    ratios: {},
    rounds,
    busy: medianBusy(busy),
    disturbedRounds: disturbed,
    ...(problems.length === 0 ? {} : { void: [...new Set(problems)] }),
  };
}

function medianBusy(rounds: Busy[]): Busy {
  const parties = new Set(rounds.flatMap((busy) => Object.keys(busy) as Party[]));
  return Object.fromEntries(
    [...parties].map((party) => [party, median(rounds.map((busy) => busy[party] ?? 0))]),
  );
}

function roundLine({ entry, rounds, problems }: Tally, round: number, disturbed: boolean): string {
  const values = Object.entries(rounds.at(-1) ?? {})
    .map(([name, value]) => `${name} ${value < 100 ? value.toFixed(2) : Math.round(value)}`)
    .join('  ');
  const marks = [disturbed ? '(disturbed)' : '', ...problems.map((problem) => `VOID: ${problem}`)];
  return `  ${round + 1}  ${entry.label.padEnd(50)} ${values} ${marks.join(' ')}`.trimEnd();
}
