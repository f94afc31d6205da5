import { write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Characters that wait for a reader who does not read. Beyond them lines are lost, and counted. */
const MOST_WAITING = 8 * 1024 * 1024;
/** For how long the end of the process tries to get rid of them. */
const LAST_MS = 1000;
const AGAIN_MS = 50;
const NOTHING = Buffer.alloc(0);

/**
 * Writes lines to a file descriptor, and neither waits for whoever reads them nor fails with them. The destination that
 * pino brings (sonic-boom 4) keeps any amount in memory, and at the end of the process repeats its last write for ever
 * when the reader has gone or does not read: the process then outlives its SIGTERM.
 */
export function openLogOutput(fd: number, mostWaiting: number = MOST_WAITING): DestinationStream {
  let waiting: string[] = [];
  let characters = 0;
  let lost = 0;
  /** What is on its way out, less what has gone. */
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
        // The end of the process is not put off for it.
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
    // What the system is writing at this moment must not be written twice.
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
    msg: 'lines of the log were lost: nobody read them',
  };
  return `${JSON.stringify(entry)}\n`;
}
