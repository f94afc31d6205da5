import { Program, type ProgramOptions } from './program.ts';

/** A process of the cast that is killed and comes back: the same role, life after life. */
export class Role {
  readonly name: string;
  readonly #start: (life: number) => ProgramOptions;
  readonly #onStart: ((program: Program) => void) | undefined;
  #life = 0;
  #program: Program | null = null;

  /** @param onStart called when a life is ready */
  constructor(name: string, start: (life: number) => ProgramOptions, onStart?: (program: Program) => void) {
    this.name = name;
    this.#start = start;
    this.#onStart = onStart;
  }

  get program(): Program | null {
    return this.#program;
  }

  /** Starts it again and again until it is ready: a service that it needs may be down. */
  async start(withinMs = 240_000): Promise<void> {
    const until = performance.now() + withinMs;
    for (;;) {
      const program = new Program(this.#start(++this.#life));
      this.#program = program;
      try {
        await program.ready;
        this.#onStart?.(program);
        return;
      } catch (error) {
        await program.kill();
        if (performance.now() > until) throw error;
        await new Promise((wake) => setTimeout(wake, 250));
      }
    }
  }

  send(message: object): void {
    this.#program?.send(message);
  }

  signal(name: NodeJS.Signals): void {
    this.#program?.signal(name);
  }

  async kill(): Promise<void> {
    await this.#program?.kill();
  }

  /** Asks it to end, and kills it if it does not. */
  async end(how: () => void, withinMs: number): Promise<void> {
    const program = this.#program;
    if (!program) return;
    how();
    const timer = setTimeout(() => program.signal('SIGKILL'), withinMs);
    await program.ended;
    clearTimeout(timer);
  }
}
