import type { Busy } from './machine/processor-time.ts';

/** One measured thing: the median over the rounds of each of its values. */
export interface Figure {
  id: string;
  label: string;
  kind: 'floor' | 'curfew' | 'peer';
  durable?: boolean;
  /** Medians over the rounds, by name; empty when the figure is void. */
  values: Record<string, number>;
  /** Ratios of those medians to a floor's, by the name of the ratio. */
  ratios: Record<string, number>;
  rounds: Record<string, number>[];
  /** Medians over the rounds: how much of one core each party used. */
  busy: Busy;
  /** Rounds during which other processes or the hypervisor used part of the machine, whether they were repeated or not. */
  disturbedRounds: number;
  /** Why the figure is void: an answer outside 2xx, or a session that was accepted after its logout. */
  void?: string[];
}

interface Column {
  value: string;
  title: string;
  digits: number;
}

interface RatioColumn {
  title: string;
  value: string;
  /** The figure to divide by, and its value when that has another name. */
  to: string;
  toValue?: string;
  /** Leave the floors out, where the ratio would mean nothing for them. */
  onlyCurfew?: boolean;
  /** The figures for which the ratio makes sense, if not all. */
  only?: RegExp;
}

export interface Section {
  id: string;
  title: string;
  /** How it was loaded, in one sentence. */
  method: string;
  columns: Column[];
  ratios: RatioColumn[];
  figures: Figure[];
}

export function withRatios(section: Section): Section {
  for (const figure of section.figures) {
    for (const { title, value, to, toValue, onlyCurfew, only } of section.ratios) {
      if (onlyCurfew === true && figure.kind !== 'curfew') continue;
      if (only?.test(figure.id) === false) continue;
      const mine = figure.values[value];
      const floor = section.figures.find(({ id }) => id === to)?.values[toValue ?? value];
      if (mine !== undefined && floor !== undefined && floor > 0) figure.ratios[title] = mine / floor;
    }
  }
  return section;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
