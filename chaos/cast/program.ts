import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';

/** Every process that was started and has not ended. None of them outlives this process. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface ProgramOptions {
  name: string;
  args: string[];
  env: Record<string, string | undefined>;
  /** The file for its output. */
  logFile: string;
  /** Whether it has a channel for messages. */
  ipc: boolean;
  onMessage?: (message: unknown) => void;
  /** The output that means "ready"; without it, the first message. */
  ready?: string;
}

/** It stops a process that hangs, and measures nothing: a busy machine may need long. */
const READY_MS = 180_000;

/** One life of a process. */
export class Program {
  readonly name: string;
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  #hasEnded = false;

  constructor(options: ProgramOptions) {
    this.name = options.name;
    const child = spawn(process.execPath, ['--conditions=curfew-source', ...options.args], {
      env: { PATH: process.env['PATH'], ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
    });
    this.#child = child;
    running.add(child);
    const log: WriteStream = createWriteStream(options.logFile, { flags: 'a' });
    this.ended = new Promise((resolve) => {
      child.once('exit', () => {
        this.#hasEnded = true;
        running.delete(child);
        log.end();
        resolve();
      });
    });
    this.ready = new Promise((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`${this.name} ${why}; see ${options.logFile}`));
      const timer = setTimeout(() => fail(`was not ready within ${READY_MS / 1000} s`), READY_MS);
      const isReady = (): void => {
        clearTimeout(timer);
        resolve();
      };
      void this.ended.then(() => {
        clearTimeout(timer);
        fail('ended');
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (chunk: Buffer) => {
          if (!log.writableEnded) log.write(chunk);
          if (options.ready === undefined || output.length > 100_000) return;
          output += chunk.toString();
          if (output.includes(options.ready)) isReady();
        });
      child.on('message', (message) => {
        if (options.ready === undefined) isReady();
        options.onMessage?.(message);
      });
    });
    // Rejects for the one that waits, if there is one: when it is killed there may be none.
    this.ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  send(message: object): void {
    // A process that is being killed may not receive this any more.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  signal(name: NodeJS.Signals): void {
    if (!this.#hasEnded) this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }
}
