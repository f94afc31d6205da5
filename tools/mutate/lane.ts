import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyCheckout } from './checkout-copy.ts';
import type { Answer, Order } from './lane-process.ts';
import type { Part } from './parts.ts';

/** A copy of the checkout with a process that runs its tests. */
export class Lane {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #changed = new Set<string>();
  /** All test files. */
  testFiles: string[] = [];

  private constructor(directory: string, { tests, budgets }: Part) {
    this.directory = directory;
    this.#child = fork(join(import.meta.dirname, 'lane-process.ts'), tests, {
      cwd: directory,
      env: { ...process.env, ...budgets },
      execArgv: ['--conditions=curfew-source'],
      // In a process group of its own: an interrupt at the terminal reaches the parent alone, which then closes the lane.
      detached: true,
    });
  }

  static async open(root: string, part: Part): Promise<Lane> {
    const lane = new Lane(copyCheckout(root), part);
    lane.testFiles = ((await lane.#answer()) as string[]).filter((file) => !part.without?.includes(file));
    return lane;
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.directory, path), text);
    this.#changed.add(path);
  }

  /** Runs one test file on the sources as they are, until its first red test. */
  async run(file: string, limitMs: number, anew = false): Promise<Answer> {
    const order: Order = { file, limitMs, changed: [...this.#changed], anew };
    this.#changed.clear();
    this.#child.send(order);
    return (await this.#answer()) as Answer;
  }

  async close(): Promise<void> {
    if (this.#child.connected) {
      this.#child.disconnect();
      await once(this.#child, 'exit');
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const gone = (code: number | null): void => reject(new Error(`a lane ended with ${code}`));
      this.#child.once('exit', gone);
      this.#child.once('message', (message) => {
        this.#child.off('exit', gone);
        resolve(message);
      });
    });
  }
}

/** Every lane takes the next one as soon as it has finished one. */
export async function each<T>(
  lanes: Lane[],
  items: readonly T[],
  work: (lane: Lane, item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  await Promise.all(
    lanes.map(async (lane) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(lane, item);
    }),
  );
}
