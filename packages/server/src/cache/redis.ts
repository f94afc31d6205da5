import { Redis } from 'ioredis';
import type { System } from '../system/system.ts';
import { inTime } from '../system/timers.ts';

/** A Redis that did not answer in this time counts as absent: it must not hold up a logout (contract 001). */
const COMMAND_TIMEOUT_MS = 150;
/** While it is away one call a second tries it; all others fail at once. */
const PROBE_MS = 1000;

/** Curfew's own copies are shorter; of a longer value only this much is read. */
const LONGEST_COPY_BYTES = 65_536;

/** Redis as a cache: every call may fail, and nothing depends on it. */
export interface RedisCopies {
  /** Whether it answered last time; if not, calls fail at once. */
  readonly healthy: boolean;
  get(key: string): Promise<string | null>;
  set(key: string, value: string, seconds: number): Promise<void>;
  remove(keys: string[]): Promise<void>;
  /** Removes every key that matches the glob pattern. */
  removeMatching(pattern: string): Promise<void>;
  /** Called when Redis answers again after a failure, and at the start: its content may be old. */
  onReturn(listener: () => void): void;
  close(): Promise<void>;
}

class RedisUnavailable extends Error {
  override name = 'RedisUnavailable';
}

export function openRedis(url: string, system: System): RedisCopies {
  const { log } = system;
  const asked: Asked = (command) => inTime(system, COMMAND_TIMEOUT_MS, command);
  const redis = new Redis(url, {
    connectTimeout: 1000,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // The probe is the check, and is answered in time or not.
    enableReadyCheck: false,
    retryStrategy: (times) => Math.min(100 * times, 1000),
  });
  const listeners = new Set<() => void>();
  let healthy = false;
  let warned = false;
  let closed = false;

  const failed = (err: unknown): void => {
    healthy = false;
    if (warned || closed) return;
    warned = true;
    log.warn(
      { err },
      'Redis does not answer: logouts continue without it, cached profiles are read from the database',
    );
  };
  const answered = (): void => {
    if (healthy) return;
    healthy = true;
    if (warned) log.info('Redis answers again');
    warned = false;
    for (const listener of listeners) listener();
  };
  redis.on('error', failed);
  redis.on('close', () => failed(new RedisUnavailable('the connection was closed')));
  const stopWatching = watchHandshakes(redis, system, () => {
    failed(new RedisUnavailable('a new connection is not answered'));
    redis.disconnect(true);
  });

  // A Redis that hangs emits no event: only a call shows it.
  const probe = (): Promise<void> => asked(redis.ping()).then(answered, (err: unknown) => failed(err));
  redis.on('ready', () => void probe());
  const stopProbing = system.every(PROBE_MS, () => {
    if (!healthy && redis.status === 'ready') void probe();
  });

  async function ask<T>(work: () => Promise<T>): Promise<T> {
    if (!healthy) throw new RedisUnavailable('Redis does not answer');
    try {
      return await work();
    } catch (err) {
      failed(err);
      throw err;
    }
  }

  return {
    get healthy() {
      return healthy;
    },
    ...commandsOf(redis, ask, asked),
    onReturn: (listener) => void listeners.add(listener),
    async close() {
      closed = true;
      stopProbing();
      stopWatching();
      redis.disconnect();
    },
  };
}

/** A Redis may accept connections and never answer: then the client's own first commands would wait for ever. */
function watchHandshakes(redis: Redis, system: System, onSilence: () => void): () => void {
  let callOff = (): void => undefined;
  const stop = (): void => callOff();
  redis.on('connect', () => (callOff = system.after(COMMAND_TIMEOUT_MS, onSilence)));
  redis.on('ready', stop);
  redis.on('close', stop);
  return stop;
}

/** Waits for the answer to a command. */
type Asked = <T>(command: Promise<T>) => Promise<T>;

/** The commands, each made through `ask`, and answered in time. */
function commandsOf(
  redis: Redis,
  ask: <T>(work: () => Promise<T>) => Promise<T>,
  asked: Asked,
): Pick<RedisCopies, 'get' | 'set' | 'remove' | 'removeMatching'> {
  return {
    get: (key) =>
      ask(async () => {
        try {
          return (await asked(redis.getrange(key, 0, LONGEST_COPY_BYTES))) || null;
        } catch (err) {
          // The value is not a string: an answer, but no copy.
          if (err instanceof Error && err.message.startsWith('WRONGTYPE')) return null;
          throw err;
        }
      }),
    set: (key, value, seconds) => ask(async () => void (await asked(redis.set(key, value, 'EX', seconds)))),
    remove: (keys) => ask(async () => void (await asked(redis.del(...keys)))),
    removeMatching: (pattern) =>
      ask(async () => {
        let cursor = '0';
        do {
          const [next, keys] = await asked(redis.scan(cursor, 'MATCH', pattern, 'COUNT', 500));
          if (keys.length > 0) await asked(redis.del(...keys));
          cursor = next;
        } while (cursor !== '0');
      }),
  };
}
