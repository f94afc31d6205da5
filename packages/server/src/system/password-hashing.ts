import * as argon2 from '@node-rs/argon2';

/**
 * Argon2id with the OWASP minimum (Password Storage Cheat Sheet: 19 MiB, two passes, one lane). A hash takes 10 to 40 ms of a
 * core, on the thread pool that DNS and files use too. So only a few run at a time, and the queue is bounded: a flood of logins
 * must not delay logouts and checks.
 */
export interface PasswordHasher {
  hash(password: string): Promise<string>;
  /** For an unknown account (null) it computes a hash all the same, and is false: the answer must not be faster. */
  verify(hash: string | null, password: string): Promise<boolean>;
  /** Hashes running and queued, for the metrics. */
  load(): { running: number; waiting: number };
}

/** The queue of hashes is full. Answered as 503 with Retry-After. */
export class Overloaded extends Error {
  override name = 'Overloaded';
}

/** `algorithm: 2` is Argon2id; a program that only strips types cannot import the library's enum. */
const COST = { algorithm: 2, memoryCost: 19456, timeCost: 2, parallelism: 1 };

interface HasherLimits {
  /** Hashes that run at a time. */
  concurrency: number;
  /** Hashes that may wait; further ones are refused. */
  queue: number;
}

/** @param library Argon2; tests look at its calls */
export function createPasswordHasher(
  limits: HasherLimits,
  { hash, verify }: Pick<typeof argon2, 'hash' | 'verify'> = argon2,
): PasswordHasher {
  let running = 0;
  const waiting: (() => void)[] = [];
  // Computed once from a random password, to compare unknown accounts with.
  let decoy: Promise<string> | undefined;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= limits.concurrency) {
      if (waiting.length >= limits.queue) throw new Overloaded('too many password hashes are waiting');
      await new Promise<void>((turn) => waiting.push(turn));
    } else {
      running++;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  }

  return {
    hash: (password) => inTurn(() => hash(password, COST)),
    verify: (stored, password) =>
      inTurn(async () => {
        decoy ??= hash(crypto.randomUUID(), COST);
        const against = stored ?? (await decoy);
        const matches = await verify(against, password);
        return stored !== null && matches;
      }),
    load: () => ({ running, waiting: waiting.length }),
  };
}
