import { write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Characters that wait while the reader does not read. Further lines are dropped, and counted. */
const MOST_WAITING = 8 * 1024 * 1024;
/** How long the end of the process waits for them to be written. */
const LAST_MS = 1000;
const AGAIN_MS = 50;
const NOTHING = Buffer.alloc(0);

/**
 * Writes lines to a file descriptor; it neither waits for the reader nor fails with it. Pino's destination (sonic-boom 4) buffers
 * without limit, and repeats its last write for ever at exit when the reader is gone: the process then survives SIGTERM.
 */
export function openLogOutput(fd: number, mostWaiting: number = MOST_WAITING): DestinationStream {
  let waiting: string[] = [];
  let characters = 0;
  let lost = 0;
  /** The lines being written, without the part that was written. */
  let leaving: Buffer = NOTHING;
  let isWriting = false;
  let isReaderGone = false;

  const takeNext = (): void => {
    if (lost > 0) waiting.push(linesWereLost(lost));
    leaving = Buffer.from(waiting.join(''));
    waiting = [];
    characters = 0;
    lost = 0;
  };
  const writeOut = (): void => {
    if (leaving.length === 0) takeNext();
    if (leaving.length === 0) return;
    isWriting = true;
    write(fd, leaving, (error, written) => {
      isWriting = false;
      if (error?.code === 'EAGAIN') {
        // Does not delay the end of the process.
        again = setTimeout(writeOut, AGAIN_MS).unref();
        return;
      }
      if (error) {
        isReaderGone = true;
        return;
      }
      again = undefined;
      leaving = leaving.subarray(written);
      writeOut();
    });
  };
  let again: NodeJS.Timeout | undefined;

  process.once('exit', () => {
    // The part that the system is writing now must not be written twice.
    if (isWriting) leaving = NOTHING;
    const untilMs = performance.now() + LAST_MS;
    while (!isReaderGone) {
      if (leaving.length === 0) takeNext();
      if (leaving.length === 0) return;
      try {
        leaving = leaving.subarray(writeSync(fd, leaving));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > untilMs) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
      }
    }
  });

  return {
    write(line) {
      if (isReaderGone) return;
      if (characters + line.length > mostWaiting) {
        lost++;
        return;
      }
      waiting.push(line);
      characters += line.length;
      if (!isWriting && !again) writeOut();
    },
  };
}

function linesWereLost(lost: number): string {
  const entry = {
    level: 'warn',
    time: new Date().toISOString(),
    lost,
    msg: 'log lines were lost: standard output was not read',
  };
  return `${JSON.stringify(entry)}\n`;
}
