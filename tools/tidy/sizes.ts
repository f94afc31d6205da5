/** Files and functions that are too long to read at once. */
import type { SourceFile } from './source.ts';

const MOST_LINES = 400;
const MOST_LINES_OF_A_FUNCTION = 70;

export interface Size {
  path: string;
  /** Of a function; null for a file. */
  name: string | null;
  lines: number;
}

/** The files and functions that exceed the limits, each function by its name. */
function findLong(files: SourceFile[]): Size[] {
  return files.flatMap(({ path, source }) => {
    if (!/\.(?:tsx?|m?js|css)$/.test(path)) return [];
    const lines = source.trimEnd().split('\n');
    const long = lines.length > MOST_LINES ? [{ path, name: null, lines: lines.length }] : [];
    const functions = functionsIn(lines).filter((one) => one.lines > MOST_LINES_OF_A_FUNCTION);
    return [...long, ...functions.map((one) => ({ path, ...one }))];
  });
}

/** A line that opens a block, but no function. */
const OTHER =
  /^(?:\} )?(?:if|else|for|while|do|switch|case|default|try|catch|finally)\b|^(?:export )?(?:default )?(?:abstract )?(?:class|interface|enum|namespace)\b/;
/** A list of tests is as long as its subject is. */
const SUITE = /^describe\b/;
const OPENS = /=> (?:\(?\{|\()$|\)(?:: [^=]+)? \{$/;

/** The formatter's indentation says where a function begins and ends: no parser is needed, which would take seconds. */
function functionsIn(lines: string[]): { name: string; lines: number }[] {
  return lines.flatMap((line, end) => {
    if (!OPENS.test(line)) return [];
    const indent = indentOf(line);
    let start = end;
    // The head of a function with many parameters takes several lines, of which the last one closes a bracket.
    if (/^[)\]}]/.test(line.trimStart()))
      do start--;
      while (
        start > 0 &&
        (indentOf(lines[start] as string) > indent || /^\s*[)\]}]/.test(lines[start] as string))
      );
    const head = (lines[start] as string).trim();
    const around = lines.findLast(
      (earlier, i) => i < start && indentOf(earlier) < indentOf(lines[start] as string),
    );
    if (OTHER.test(head) || SUITE.test(head) || (SUITE.test(around?.trim() ?? '') && head.startsWith('(')))
      return [];
    const close = lines.findIndex(
      (later, i) => i > end && later !== '' && indentOf(later) <= indent && /^\s*[)\]}]/.test(later),
    );
    return close < 0 ? [] : [{ name: nameOf(head), lines: close - start + 1 }];
  });
}

const indentOf = (line: string): number =>
  line === '' ? Number.MAX_SAFE_INTEGER : line.length - line.trimStart().length;

function nameOf(head: string): string {
  const named =
    /\bfunction\*? ?([\w$]+)/.exec(head) ??
    /^(?:export )?(?:const|let) ([\w$]+)/.exec(head) ??
    /^((?:test|it|before|after)\w*\b.*)/.exec(head) ??
    /^(?:(?:public|private|static|async|get|set|readonly|override) )*\*?(#?[\w$]+)/.exec(head);
  return named?.[1] ?? head;
}

/** Reports what is too long and is no exception, exceptions that grew, and those that are not needed any more. */
export function findSizeFaults(files: SourceFile[], exceptions: Size[]): string[] {
  const known = new Map(exceptions.map((one) => [keyOf(one), one.lines]));
  const faults = findLong(files).flatMap((size) => {
    const allowed = known.get(keyOf(size));
    known.delete(keyOf(size));
    if (allowed !== undefined && size.lines <= allowed) return [];
    const most = allowed ?? (size.name === null ? MOST_LINES : MOST_LINES_OF_A_FUNCTION);
    return [`${keyOf(size)} has ${size.lines} lines, more than ${most}`];
  });
  return [...faults, ...[...known.keys()].map((key) => `${key} is no exception any more: leave it out`)];
}

const keyOf = ({ path, name }: Size): string => (name === null ? path : `${path}: ${name}`);
