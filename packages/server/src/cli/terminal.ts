import { replaceUnseen } from '@curfew/protocol/reading/plain-name';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const PLAIN_PROGRESS_MS = 1000;

/** The three standard streams: those of `process`, or of a program that runs a command within itself. */
export interface Streams {
  readonly stdin: Readable & { isTTY?: boolean; setRawMode?: (on: boolean) => unknown };
  readonly stdout: Writable & { fd?: number };
  readonly stderr: Writable & { isTTY?: boolean; fd?: number };
}

/** Standard output for answers, standard error for everything else. */
export interface Terminal {
  readonly streams: Streams;
  /** Whether the answer is to be JSON. */
  readonly json: boolean;
  /** Prints the answer: the value in JSON, or the text for people. */
  answer(value: unknown, text: string): void;
  /** Prints a remark beside the answer. */
  note(text: string): void;
  /** Shows progress: one changing line on a terminal, else a line now and then. */
  progress(): Progress;
  /** Whether the output is a terminal. */
  readonly watched: boolean;
  /** Whether a question can be asked. */
  readonly interactive: boolean;
  /** Returns the answer to a question; empty without one. */
  ask(question: string): Promise<string>;
}

interface Progress {
  show(text: string): void;
  /** Prints the last state, which stays. */
  end(text?: string): void;
}

export function openTerminal(streams: Streams, json: boolean): Terminal {
  const { stdin, stdout, stderr } = streams;
  return {
    streams,
    json,
    answer(value, text) {
      stdout.write(json ? `${JSON.stringify(value)}\n` : `${text}\n`);
    },
    note(text) {
      stderr.write(`${text}\n`);
    },
    progress: () => (stderr.isTTY ? changingLine(stderr) : plainLines(stderr)),
    watched: stderr.isTTY === true,
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    ask: (question) =>
      new Promise((resolve) => {
        const lines = createInterface({ input: stdin, output: stderr });
        let answer: string | undefined;
        // Ctrl-C and the end of the input count as an empty answer.
        lines.once('close', () => {
          if (answer === undefined) stderr.write('\n');
          resolve(answer ?? '');
        });
        lines.question(question, (given) => {
          answer = given.trim();
          lines.close();
        });
      }),
  };
}

interface Output {
  write(text: string): unknown;
}

export function changingLine(output: Output): Progress {
  return {
    show: (text) => void output.write(`\r\u001b[2K${text}`),
    end: (text) => void output.write(text === undefined ? '\r\u001b[2K' : `\r\u001b[2K${text}\n`),
  };
}

export function plainLines(output: Output): Progress {
  let lastMs = Number.NEGATIVE_INFINITY;
  let last: string | undefined;
  const write = (text: string): void => {
    if (text !== last) output.write(`${text}\n`);
    last = text;
    lastMs = performance.now();
  };
  return {
    show(text) {
      if (performance.now() - lastMs >= PLAIN_PROGRESS_MS) write(text);
    },
    end(text) {
      if (text !== undefined) write(text);
    },
  };
}

/** Makes foreign text safe to print: a device's name must not move the cursor. */
export function plain(text: string): string {
  return replaceUnseen(text, '\ufffd');
}

/** Columns under their names, separated by two spaces. */
export function table(head: string[], rows: string[][]): string {
  const lines = [head, ...rows.map((row) => row.map(plain))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `1 session`, `2 sessions`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
