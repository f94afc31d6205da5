/**
 * Runs the shell blocks of a page and compares what they print with what the page says. A block that begins with "```sh run" is run. If the
 * next block begins with "```json" or "```text", it is the expected output.
 */
import { spawn } from 'node:child_process';

export interface ShellBlock {
  /** The line of the page on which it begins. */
  line: number;
  /** The words after "sh run", such as "postgres". */
  needs: string;
  script: string;
  prints: { kind: 'json' | 'text'; text: string } | null;
}

const FENCE = /^```(.*)\n([\s\S]*?)^```$/gm;

/** The blocks of a page that must be run, in order. */
export function shellBlocks(page: string): ShellBlock[] {
  const fences = [...page.matchAll(FENCE)].map((match) => ({
    info: match[1] ?? '',
    text: match[2] ?? '',
    line: page.slice(0, match.index).split('\n').length,
  }));
  return fences.flatMap(({ info, text, line }, i) => {
    if (!/^sh run\b/.test(info)) return [];
    const next = fences[i + 1];
    const kind = next?.info === 'json' ? 'json' : next?.info === 'text' ? 'text' : null;
    const prints: ShellBlock['prints'] = next && kind ? { kind, text: next.text } : null;
    return [{ line, needs: info.slice('sh run'.length).trim(), script: text, prints }];
  });
}

const MARK = '--- end of block ---';

/**
 * Runs the blocks one after the other in one shell, as a reader would, and returns what each printed.
 * @throws with what was printed when a block fails
 */
export async function runBlocks(
  blocks: ShellBlock[],
  options: { cwd: string; env: Record<string, string | undefined>; prelude: string },
): Promise<string[]> {
  const scripts = blocks.map(({ script }) => `${script}\nprintf '\\n%s\\n' '${MARK}'\n`);
  const child = spawn('bash', ['-euo', 'pipefail', '-c', [options.prelude, ...scripts].join('\n')], {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const printed = output.split(`\n${MARK}\n`);
  if (code !== 0) {
    const failed = blocks[printed.length - 1];
    throw new Error(
      `the block in line ${failed?.line} ended with ${String(code)}:\n${printed.at(-1)}\n${errors}`,
    );
  }
  return printed.slice(0, -1);
}

/** What is wrong with what a block printed, or null. */
export function compare(block: ShellBlock, printed: string): string | null {
  if (!block.prints) return null;
  const { kind, text } = block.prints;
  const same = kind === 'json' ? sameShape(text, printed) : sameLines(text, printed);
  return same ? null : `line ${block.line}: the page says\n${text}\nbut it prints\n${printed}`;
}

function sameShape(said: string, printed: string): boolean {
  try {
    return JSON.stringify(shapeOf(JSON.parse(said))) === JSON.stringify(shapeOf(JSON.parse(printed)));
  } catch {
    return false;
  }
}

/** A value without the parts that differ from run to run: the kind of a text or number, and the first item of a list. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]));
  return value === null || typeof value === 'boolean' ? value : typeof value;
}

/** Line by line; any number stands for any other, and an ellipsis for anything. */
function sameLines(said: string, printed: string): boolean {
  const lines = (text: string): string[] =>
    text
      .trim()
      .split(/\r?\n/)
      .map((line) => line.trimEnd());
  const patterns = lines(said).map((line) => {
    const literal = line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${literal.replace(/\d+(\\\.\d+)?/g, '\\d+(\\.\\d+)?').replaceAll('…', '.*')}$`);
  });
  const actual = lines(printed);
  return actual.length === patterns.length && patterns.every((pattern, i) => pattern.test(actual[i] ?? ''));
}
