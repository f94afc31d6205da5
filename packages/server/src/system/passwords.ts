import { hash, verify } from '@node-rs/argon2';

/**
 * Argon2id with the OWASP minimum (Password Storage Cheat Sheet: 19 MiB, two passes, one lane). A hash costs some
 * 10 to 40 ms of a whole core, on a thread of the pool that DNS and files use too, so only a few run at a time and
 * only so many wait: a flood of logins must leave logout and checks answering.
 */
export interface PasswordHasher {
  hash(password: string): Promise<string>;
  /** A null hash costs as much as a real one and is false: an unknown account must not answer faster. */
  verify(hash: string | null, password: string): Promise<boolean>;
  /** Hashes under way and waiting, for the metrics. */
  load(): { running: number; waiting: number };
}

/** Too many hashes wait already. Answered as 503 with Retry-After. */
export class Overloaded extends Error {
  override name = 'Overloaded';
}

/** `algorithm: 2` is Argon2id; the library's enum cannot be imported by a program that only strips types. */
const COST = { algorithm: 2, memoryCost: 19456, timeCost: 2, parallelism: 1 };

interface HasherLimits {
  /** Hashes at a time. */
  concurrency: number;
  /** Hashes that may wait; one more is refused. */
  queue: number;
}

export function createPasswordHasher(limits: HasherLimits): PasswordHasher {
  let running = 0;
  const waiting: (() => void)[] = [];
  // Made once, of a password that nobody has: what an unknown account is compared with.
  let decoy: Promise<string> | undefined;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= limits.concurrency) {
      if (waiting.length >= limits.queue) throw new Overloaded('too many password hashes wait');
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
