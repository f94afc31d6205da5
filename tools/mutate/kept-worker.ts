/** Vitest's process for test files, kept from one run to the next: files that run on the same sources share their modules. */
import { EventEmitter } from 'node:events';
import { ForksPoolWorker, type PoolOptions, type PoolWorker, type WorkerRequest } from 'vitest/node';

type Listener = Parameters<PoolWorker['on']>[1];

let kept: ForksPoolWorker | undefined;

/** The next run gets a new process. */
export async function endKeptWorker(): Promise<void> {
  const worker = kept;
  kept = undefined;
  await worker?.stop();
}

/** As a value of vitest's `pool`. */
export const KEPT_WORKER = {
  name: 'kept',
  createPoolWorker: (options: PoolOptions): PoolWorker => new KeptWorker(options),
};

/** The process as one run sees it: it reports a start and a stop, while the process keeps running. */
class KeptWorker implements PoolWorker {
  readonly name = KEPT_WORKER.name;
  /** Otherwise vitest would read old files of transformed sources again. */
  readonly cacheFs = false;
  readonly #goesOn = kept !== undefined;
  readonly #worker: ForksPoolWorker;
  readonly #own = new EventEmitter();
  readonly #listeners: [event: string, listener: Listener][] = [];

  constructor(options: PoolOptions) {
    kept ??= new ForksPoolWorker(options);
    this.#worker = kept;
  }

  async start(): Promise<void> {
    if (this.#goesOn) return;
    await this.#worker.start();
    this.#worker.on('exit', () => {
      if (kept === this.#worker) kept = undefined;
    });
  }

  async stop(): Promise<void> {
    for (const [event, listener] of this.#listeners.splice(0)) this.#worker.off(event, listener);
  }

  on(event: string, listener: Listener): void {
    this.#listeners.push([event, listener]);
    this.#worker.on(event, listener);
    this.#own.on(event, listener);
  }

  off(event: string, listener: Listener): void {
    this.#worker.off(event, listener);
    this.#own.off(event, listener);
  }

  send(message: WorkerRequest): void {
    if (message.type === 'start' && this.#goesOn) return this.#say('started');
    if (message.type === 'stop') return this.#say('stopped');
    this.#worker.send(message);
  }

  deserialize(data: unknown): unknown {
    return data;
  }

  #say(type: 'started' | 'stopped'): void {
    setImmediate(() => this.#own.emit('message', { __vitest_worker_response__: true, type }));
  }
}
