import { type Hint, type Refusal, REFUSALS, type Ring, RingTexts } from '@curfew/protocol/rings';
import type { Authenticator } from '@curfew/protocol/sealed';
import { Redis } from 'ioredis';
import type { Database } from '../../store/database.ts';
import { ringNodes } from '../../store/nodes.ts';
import type { System } from '../../system/system.ts';
import { coalesced } from '../../system/coalesced.ts';

/** In the database, where each has its own channels. */
const CHANNEL = 'curfew_nodes';
/** A Redis that has not taken a ring in this time is passed over. */
const RING_TIMEOUT_MS = 150;

/** What was not heard is said in the log this often at most: strangers decide how much of it there is. */
const SAY_REFUSED_EVERY_MS = 60_000;

export type { Hint } from '@curfew/protocol/rings';

/** Says "there is something new" and "I have it" to the other nodes. Any ring may be lost: that costs time, never truth. */
export interface Doorbell {
  ring(message: Ring): Promise<void>;
  /** Goes past the rings: none waits for it. */
  hint(message: Hint): Promise<void>;
  /**
   * @param onGap rings may have been missed
   * @param others how many other nodes are to hear a ring
   */
  listen(
    onRing: (message: Ring) => void,
    onGap: () => void,
    onHint: (message: Hint) => void,
    others: () => number,
  ): Promise<() => Promise<void>>;
  /** How many texts were not heard, by why. */
  refused(): Readonly<Record<Refusal, number>>;
}

/** By NOTIFY; with Redis by its publishing, which is quicker, as long as that reaches everybody who is to hear. */
export function openDoorbell(
  database: Database,
  redisUrl: string | null,
  /** Tells this database from others whose nodes use the same Redis, which has one room for all channels. */
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
  /** Who has last rung by the database: there, and not by Redis, they are heard. */
  const byDatabase = new Set<string>();
  const ringNow = async (message: Ring | Hint): Promise<void> => {
    const text = texts.write(message);
    const tryRedis = byRedis && !('ack' in message && byDatabase.has(message.to));
    const heardBy = tryRedis ? await byRedis.ring(text) : 0;
    // This process hears itself too. Whoever does not listen to Redis now hears the database.
    const wanted = 'ack' in message ? 1 : others() + 1;
    if (heardBy < wanted) await ringNodes(database, CHANNEL, text);
  };
  // While one is under way the newest of each kind waits: a ring, or an acknowledgement, stands for those before it.
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
      /** Whatever comes of a text, the connection that brought it goes on. */
      const onText = (text: string, way: 'database' | 'redis'): void => {
        try {
          hear(text, way);
        } catch (err) {
          log.error({ err }, 'a message of another node could not be dealt with');
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
  count(why: Refusal): void;
  counts: Record<Refusal, number>;
} {
  const counts = Object.fromEntries(REFUSALS.map((why) => [why, 0])) as Record<Refusal, number>;
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
        'messages on the channel of the nodes are not believed: their sender has another CURFEW_KEY, is of an older version, or is no node',
      );
    },
  };
}

interface RedisBell {
  /** @returns how many processes heard it */
  ring(text: string): Promise<number>;
  listen(onRing: (text: string) => void, onGap: () => void): () => void;
}

function openRedisBell(url: string, channel: string, { log, monotonicMs }: System): RedisBell {
  const options = {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // It is done here, each time that the connection is ready: a failure of its own would be nobody's.
    autoResubscribe: false,
    connectTimeout: 1000,
    retryStrategy: (times: number) => Math.min(100 * times, 1000),
  };
  const speaking = new Redis(url, { ...options, commandTimeout: RING_TIMEOUT_MS });
  const listening = new Redis(url, options);
  let warned = false;
  const failed = (err: unknown): void => {
    // That Redis is away is warned of once, where its copies are.
    if (!warned) log.info({ err }, 'nodes ring each other by the database');
    warned = true;
  };
  // A connection that hangs would hold up every ring for the time limit: after one that did, none is tried for a while.
  let passOverUntilMs = 0;
  speaking.on('error', failed);
  listening.on('error', failed);
  return {
    async ring(text) {
      if (speaking.status !== 'ready' || monotonicMs() < passOverUntilMs) return 0;
      try {
        const heardBy = await speaking.publish(channel, text);
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
        // A failure is an error of the connection, and said there.
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
