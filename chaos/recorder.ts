import { closeSync, openSync, writeSync } from 'node:fs';
import type { Line } from './lines.ts';

/** Lines are written after so many characters, or so many milliseconds: a process that is killed loses no more than that. */
const MOST_WAITING = 32_768;
const EVERY_MS = 50;

/** Now, in microseconds of the clock that all processes of this machine share (CLOCK_MONOTONIC on Linux). */
export function now(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Writes what this process did to a file of its own. It collects lines, so that the writing does not disturb the measurement. */
export class Recorder {
  readonly #file: number;
  readonly #timer: NodeJS.Timeout;
  #waiting = '';

  constructor(path: string, who: string) {
    this.#file = openSync(path, 'a');
    this.#timer = setInterval(() => this.flush(), EVERY_MS).unref();
    this.write({ t: 'process', who, pid: process.pid, at: now() });
  }

  write(line: Line): void {
    this.#waiting += `${JSON.stringify(line)}\n`;
    if (this.#waiting.length > MOST_WAITING) this.flush();
  }

  flush(): void {
    if (this.#waiting === '') return;
    const text = Buffer.from(this.#waiting);
    this.#waiting = '';
    for (let from = 0; from < text.length; ) from += writeSync(this.#file, text, from);
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
    closeSync(this.#file);
  }
}
