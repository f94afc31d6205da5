import { type Hint, type RingFault, RING_FAULTS, type Ring, RingTexts } from '@curfew/protocol/rings';
import type { Authenticator } from '@curfew/protocol/sealed';
import { Redis } from 'ioredis';
import type { Database } from '../../store/database.ts';
import { ringNodes } from '../../store/node-registry.ts';
import type { System } from '../../system/system.ts';
import { inTime } from '../../system/timers.ts';
import { coalesced } from '../../system/coalesced.ts';

/** NOTIFY's channels, separate for each database. */
const CHANNEL = 'curfew_nodes';
/** A Redis that does not take a ring in this time is skipped. */
const RING_TIMEOUT_MS = 150;

/** Refused texts are logged at most this often, because strangers decide their number. */
const SAY_REFUSED_EVERY_MS = 60_000;

export type { Hint } from '@curfew/protocol/rings';

/** Sends "there is something new" and "I have it" to the other nodes. A lost ring costs time, never correctness. */
export interface Doorbell {
  ring(message: Ring): Promise<void>;
  /** Overtakes the rings, which do not wait for it. */
  hint(message: Hint): Promise<void>;
  /**
   * @param onGap called when rings may have been missed
   * @param others the number of other nodes that should hear a ring
   */
  listen(
    onRing: (message: Ring) => void,
    onGap: () => void,
    onHint: (message: Hint) => void,
    others: () => number,
  ): Promise<() => Promise<void>>;
  /** The number of refused texts, by reason. */
  refused(): Readonly<Record<RingFault, number>>;
}

/** Uses NOTIFY; with Redis its publishing, which is faster, as long as that reaches all nodes. */
export function openDoorbell(
  database: Database,
  redisUrl: string | null,
  /** Tells this database from others on the same Redis, which has one space for all channels. */
  databaseName: string,
  system: System,
  authenticator: Authenticator,
): Doorbell {
  const { log } = system;
  const texts = new RingTexts(authenticator);
  const refusals = countRefusals(system);
  const byRedis =
    redisUrl === null || database.sole ? null : openRedisBell(redisUrl, `${CHANNEL}:${databaseName}`, system);
  let others = (): number => 0;
  /** The nodes that last rang over the database: they are reached there, not over Redis. */
  const byDatabase = new Set<string>();
  const ringNow = async (message: Ring | Hint): Promise<void> => {
    const text = texts.write(message);
    const tryRedis = byRedis && !('ack' in message && byDatabase.has(message.to));
    const heardBy = tryRedis ? await byRedis.ring(text) : 0;
    // This process hears itself too. A node that does not listen to Redis now hears the database.
    const wanted = 'ack' in message ? 1 : others() + 1;
    if (heardBy < wanted) await ringNodes(database, CHANNEL, text);
  };
  // While one is under way only the newest of each kind waits: it stands for those before it.
  const newest = new Map<string, Ring>();
  const ringNewest = coalesced(async () => {
    const messages = [...newest.values()];
    newest.clear();
    await Promise.all(messages.map(ringNow));
  });
  return {
    ring(message) {
      newest.set('ring' in message ? 'ring' : `${message.to} ${message.over}`, message);
      return ringNewest();
    },
    hint: ringNow,
    async listen(onRing, onGap, onHint, howMany) {
      others = howMany;
      const hear = (text: string, way: 'database' | 'redis'): void => {
        const message = texts.read(text, way);
        if (typeof message === 'string') return refusals.count(message);
        if ('changed' in message) return onHint(message);
        if ('ring' in message && way === 'database') byDatabase.add(message.from);
        else if ('ring' in message) byDatabase.delete(message.from);
        onRing(message);
      };
      /** No text may throw into the connection that delivered it. */
      const onText = (text: string, way: 'database' | 'redis'): void => {
        try {
          hear(text, way);
        } catch (err) {
          log.error({ err }, 'could not process a message from another node');
        }
      };
      const stopDatabase = await database.listen(CHANNEL, (text) => onText(text, 'database'), onGap);
      const stopRedis = byRedis?.listen((text) => onText(text, 'redis'), onGap);
      return async () => {
        stopRedis?.();
        await stopDatabase();
      };
    },
    refused: () => ({ ...refusals.counts }),
  };
}

function countRefusals({ log, monotonicMs }: System): {
  count(why: RingFault): void;
  counts: Record<RingFault, number>;
} {
  const counts = Object.fromEntries(RING_FAULTS.map((why) => [why, 0])) as Record<RingFault, number>;
  let saidMs = Number.NEGATIVE_INFINITY;
  return {
    counts,
    count(why) {
      counts[why]++;
      const nowMs = monotonicMs();
      if (nowMs - saidMs < SAY_REFUSED_EVERY_MS) return;
      saidMs = nowMs;
      log.warn(
        { refused: { ...counts } },
        'messages on the node channel are ignored: their sender has another CURFEW_KEY, runs an older version, or is not a node',
      );
    },
  };
}

interface RedisBell {
  /** @returns how many processes received it */
  ring(text: string): Promise<number>;
  listen(onRing: (text: string) => void, onGap: () => void): () => void;
}

function openRedisBell(url: string, channel: string, system: System): RedisBell {
  const { log, monotonicMs } = system;
  const options = {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // Repeated here each time that the connection is ready, so a failure needs no handler.
    autoResubscribe: false,
    connectTimeout: 1000,
    retryStrategy: (times: number) => Math.min(100 * times, 1000),
  };
  const speaking = new Redis(url, options);
  const listening = new Redis(url, options);
  let warned = false;
  const failed = (err: unknown): void => {
    // The outage is logged once, by the cache.
    if (!warned) log.info({ err }, 'nodes notify each other through the database');
    warned = true;
  };
  // A connection that hangs would delay every ring by the time limit: after one that did, none is tried for a while.
  let passOverUntilMs = 0;
  speaking.on('error', failed);
  listening.on('error', failed);
  return {
    async ring(text) {
      if (speaking.status !== 'ready' || monotonicMs() < passOverUntilMs) return 0;
      try {
        const heardBy = await inTime(system, RING_TIMEOUT_MS, speaking.publish(channel, text));
        warned = false;
        return heardBy;
      } catch (err) {
        passOverUntilMs = monotonicMs() + 1000;
        failed(err);
        return 0;
      }
    },
    listen(onRing, onGap) {
      listening.on('message', (_channel, text) => onRing(text));
      const subscribe = (): void => {
        // A failure is an error of the connection, and logged there.
        listening.subscribe(channel).then(onGap, () => undefined);
      };
      listening.on('ready', subscribe);
      if (listening.status === 'ready') subscribe();
      return () => {
        speaking.disconnect();
        listening.disconnect();
      };
    },
  };
}
