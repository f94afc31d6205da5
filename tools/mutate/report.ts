/** The results of the mutants of a part, in a file, so that an interrupted run can continue. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Mutant } from './mutants.ts';

/** The lines that a mutant changes, before and after, each as one text. */
export interface Lines {
  path: string;
  line: number;
  was: string;
  is: string;
}

export interface Result extends Mutant, Lines {
  /**
   * `killed` by a red test, `hung` until a limit, `refused` by the compiler or the linter after the tests were green,
   * `unreached` by any test, `survived`.
   */
  outcome: 'killed' | 'hung' | 'refused' | 'unreached' | 'survived';
  /** The name of the test, or the message of the compiler or linter. */
  by: string;
  ms: number;
}

export interface Report {
  part: string;
  seed: number;
  /** Mutants that the part has, of which the sample was drawn. */
  of: number;
  sample: number;
  tests: number;
  /** Of the latest result. */
  date?: string;
  /** How long tests had to pass before a mutant counted as survived. */
  patienceMs?: number;
  /** By the path of a source: its results count as long as the source does not change. */
  digests: Record<string, string>;
  results: Result[];
}

export const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

export const readReport = (file: string): Report | undefined => readKept<Report>(file);

/** The report of an earlier run. */
export function readKept<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function writeKept(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 1)}\n`);
  renameSync(`${file}.new`, file);
}

export function sameMutant(a: Mutant, b: Mutant): boolean {
  return a.path === b.path && a.start === b.start && a.end === b.end && a.replacement === b.replacement;
}

export function inLines(source: string, { path, start, end, replacement }: Mutant): Lines {
  const from = source.lastIndexOf('\n', start - 1) + 1;
  const to = source.indexOf('\n', end) < 0 ? source.length : source.indexOf('\n', end);
  const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();
  return {
    path,
    line: source.slice(0, start).split('\n').length,
    was: oneLine(source.slice(from, to)),
    is: oneLine(source.slice(from, start) + replacement + source.slice(end, to)),
  };
}
