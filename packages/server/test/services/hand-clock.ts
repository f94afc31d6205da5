/** Time that a test moves by hand, for servers and their verifiers. Sockets and PostgreSQL are real and go on meanwhile. */
import { HandClock } from '../../../protocol/test/hand-clock.ts';
import type { Database } from '../../src/store/database.ts';
import type { System } from '../../src/system/system.ts';

export type { HandClock };

/** It begins at the machine's time, by which the database dates too. */
export function openHandClock(): HandClock {
  const clock = new HandClock();
  clock.wallMs = Date.now();
  return clock;
}

type Time = Pick<System, 'now' | 'setNow' | 'wallMs' | 'monotonicMs' | 'after' | 'every'>;

/** The parts of the outside world that are time, by this clock. */
export function timeOf(clock: HandClock): Time {
  return {
    now: () => new Date(clock.wallMs),
    setNow: () => undefined,
    wallMs: () => clock.wallMs,
    monotonicMs: () => clock.monotonicMs,
    after: (ms, work) => clock.after(ms, work),
    every: (ms, work) => clock.every(ms, work),
  };
}

const STEP_MS = 25;
/** A test fails that waits for longer. */
const LONGEST_MS = 30_000;
/** In real time: the work of a step finishes, and a database that hangs holds up no test. */
const TURN_MS = 2;
const LONGEST_TURN_MS = 250;

let underWay = 0;
/** From here on time waits for each statement at this database: no lease runs out because the machine is busy. */
export function waitFor(database: Database): void {
  const counted =
    <Args extends unknown[], Answer>(ask: (...args: Args) => Promise<Answer>) =>
    async (...args: Args): Promise<Answer> => {
      underWay++;
      try {
        return await ask(...args);
      } finally {
        underWay--;
      }
    };
  database.query = counted(database.query.bind(database));
  database.transaction = counted(database.transaction.bind(database)) as Database['transaction'];
}

async function turn(): Promise<void> {
  const overMs = performance.now() + LONGEST_TURN_MS;
  do await new Promise((wake) => setTimeout(wake, TURN_MS));
  while (underWay > 0 && performance.now() < overMs);
}

/** Lets time pass, step by step, until it is so. */
export async function passUntil(
  clock: HandClock,
  what: string,
  yes: () => boolean | Promise<boolean>,
): Promise<void> {
  const givenUpMs = clock.monotonicMs + LONGEST_MS;
  while (!(await yes())) {
    if (clock.monotonicMs > givenUpMs) throw new Error(`waited in vain: ${what}`);
    clock.pass(STEP_MS);
    await turn();
  }
}

/** Lets so much time pass, step by step. */
export async function passSteadily(clock: HandClock, ms: number): Promise<void> {
  const overMs = clock.monotonicMs + ms;
  await passUntil(clock, 'time passes', () => clock.monotonicMs >= overMs);
}

/** Lets time pass, step by step, until it is answered. @param meanwhile called before each step */
export async function passWhile<T>(
  clock: HandClock,
  answer: Promise<T>,
  meanwhile: () => void = () => undefined,
): Promise<T> {
  let over = false;
  const note = (): void => {
    over = true;
  };
  answer.then(note, note);
  const givenUpMs = clock.monotonicMs + LONGEST_MS;
  for (;;) {
    await turn();
    if (over) return answer;
    if (clock.monotonicMs > givenUpMs) throw new Error('waited in vain for an answer');
    meanwhile();
    clock.pass(STEP_MS);
  }
}
