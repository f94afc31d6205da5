import { createConnection } from 'node:net';
import type { Cast } from './cast/cast.ts';
import type { Weather } from './cast/link.ts';
import { now, type Recorder } from './recorder.ts';
import { type Episode, episodes, type Fault } from './schedule.ts';

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** Causes the faults, one episode after the other, and ends them. */
export class Agent {
  readonly #cast: Cast;
  readonly #recorder: Recorder;
  #faults = 0;

  constructor(cast: Cast, recorder: Recorder) {
    this.#cast = cast;
    this.#recorder = recorder;
  }

  /**
   * Runs for so long, and then until the history is enough for a verdict, which takes longer on a busy machine. At the end it ends all
   * faults.
   */
  async work(run: {
    seed: number;
    seconds: number;
    mostMs: number;
    enough: () => Promise<boolean>;
  }): Promise<void> {
    const beganMs = performance.now();
    const passedMs = (): number => performance.now() - beganMs;
    for (const episode of episodes(run.seed, this.#cast.stage)) {
      if (passedMs() > run.mostMs || (passedMs() > run.seconds * 1000 && (await run.enough()))) return;
      await this.#play(episode);
      const leftMs = run.seconds * 1000 - passedMs();
      await pause(leftMs > 0 ? Math.min(episode.quietMs, leftMs) : episode.quietMs);
    }
  }

  async #play({ faults }: Episode): Promise<void> {
    await Promise.all(
      faults.map(async (fault) => {
        await pause(fault.afterMs);
        const n = ++this.#faults;
        this.#recorder.write({ t: 'fault', n, kind: fault.kind, on: fault.on, at: now() });
        await this.#bring(fault);
        this.#recorder.write({ t: 'healed', n, at: now() });
      }),
    );
  }

  #bring(fault: Fault): Promise<void> {
    const { kind, on, forMs, slowMs } = fault;
    const cast = this.#cast;
    const { postgres, redis } = cast;
    switch (kind) {
      case 'cut':
        return this.#weather(fault, { kind: 'cut' });
      case 'hole':
        return this.#weather(fault, { kind: 'hole', up: true, down: true });
      case 'hole-up':
        return this.#weather(fault, { kind: 'hole', up: true, down: false });
      case 'hole-down':
        return this.#weather(fault, { kind: 'hole', up: false, down: true });
      case 'slow':
        return this.#weather(fault, { kind: 'slow', ms: slowMs });
      case 'late-reads':
        return this.#weather(fault, { kind: 'late-reads', ms: this.#cast.stage.leaseMs / 2 });
      case 'stop-node':
      case 'stop-back-end':
        return this.#stop(fault);
      case 'kill-node':
      case 'kill-back-end':
        return this.#each(on, async (name) => {
          const role = this.#cast.role(name);
          await role.kill();
          await pause(forMs);
          await role.start();
        });
      case 'restart-node':
        return this.#each(on, async (name) => {
          const role = this.#cast.role(name);
          await role.end(() => role.signal('SIGTERM'), 20_000);
          await role.start();
        });
      case 'flush-redis':
        return flush(redis.port);
      case 'kill-redis':
        return during(
          forMs,
          () => redis.kill(),
          () => redis.restart(),
        );
      case 'pause-redis':
        redis.pause();
        return during(forMs, undefined, () => redis.resume());
      case 'restart-postgres':
        return postgres.restart();
      case 'kill-postgres':
        return during(
          forMs,
          () => postgres.kill(),
          () => postgres.restart(),
        );
      case 'standby-postgres':
        return cast.visitStandby(on, forMs);
      case 'failover-postgres':
        return cast.failOver(forMs, fault.reset, (loss) => this.#recorder.write({ t: 'lost', ...loss }));
    }
  }

  async #each(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
    await Promise.all(names.map(work));
  }

  async #weather({ on, forMs, reset }: Fault, weather: Weather): Promise<void> {
    const links = on.flatMap((name) => this.#cast.links.get(name) ?? []);
    for (const link of links) link.set(weather);
    await pause(forMs);
    for (const link of links) link.set({ kind: 'open' }, reset);
  }

  /** Suspends processes, lets them run for a moment, and suspends them again. */
  async #stop({ on, forMs, times }: Fault): Promise<void> {
    for (let i = 0; i < times; i++) {
      for (const name of on) this.#cast.role(name).signal('SIGSTOP');
      await pause(forMs);
      for (const name of on) this.#cast.role(name).signal('SIGCONT');
      if (i < times - 1) await pause(20 + 200 * i);
    }
  }
}

async function during(
  ms: number,
  begin: (() => Promise<void>) | undefined,
  end: () => Promise<void> | void,
): Promise<void> {
  await begin?.();
  await pause(ms);
  await end();
}

/** Empties Redis. */
function flush(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write('FLUSHALL\r\n'));
    socket.once('data', () => socket.end(resolve));
    socket.once('error', reject);
  });
}
