import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const PLAIN_PROGRESS_MS = 1000;

/** The three standard streams: `process`, or those of a program that runs a command within itself. */
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
  /** The answer: the value in JSON, or the text for a person. */
  answer(value: unknown, text: string): void;
  /** Something to know beside the answer. */
  note(text: string): void;
  /** How long work goes on: one line that changes on a terminal, else a line now and then. */
  progress(): Progress;
  /** Whether somebody is looking on. */
  readonly watched: boolean;
  /** Whether somebody can be asked. */
  readonly interactive: boolean;
  /** What is answered; an empty text when nothing is. */
  ask(question: string): Promise<string>;
}

interface Progress {
  show(text: string): void;
  /** The last state, which stays. */
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
        // Ctrl-C, or the end of the input, is an answer too: nothing.
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

/**
 * Text from somewhere else, safe to show: a device's name must not move the cursor or write what is not there.
 */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
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
