import type { Ring } from '@curfew/protocol/node';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { Database } from '../store/database.ts';
import { ringNodes } from '../store/nodes.ts';
import { coalesced } from './coalesced.ts';

/** In the database, where each has its own channels. */
const CHANNEL = 'curfew_nodes';
/** A Redis that has not taken a ring in this time is passed over. */
const RING_TIMEOUT_MS = 150;

/** "The lists of these users' sessions have changed", for those of them who listen at another node. */
export interface Hint {
  changed: number[];
  from: string;
}

/** Says "there is something new" and "I have it" to the other nodes. Any ring may be lost: that costs time, never truth. */
export interface Doorbell {
  ring(message: Ring): Promise<void>;
  /** Goes past the rings: none waits for it. */
  hint(message: Hint): Promise<void>;
  /** @param onGap rings may have been missed */
  listen(
    onRing: (message: Ring) => void,
    onGap: () => void,
    onHint: (message: Hint) => void,
  ): Promise<() => Promise<void>>;
}

/** By NOTIFY; with Redis by its publishing, which is quicker, as long as that reaches everybody who is to hear. */
export function openDoorbell(
  database: Database,
  redisUrl: string | null,
  /** Tells this database from others whose nodes use the same Redis, which has one room for all channels. */
  databaseName: string,
  others: () => number,
  log: Logger,
): Doorbell {
  const byRedis =
    redisUrl === null || database.sole ? null : openRedisBell(redisUrl, `${CHANNEL}:${databaseName}`, log);
  /** Who has last rung by the database: there, and not by Redis, they are heard. */
  const byDatabase = new Set<string>();
  const ringNow = async (message: Ring | Hint): Promise<void> => {
    const text = JSON.stringify(message);
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
    async listen(onRing, onGap, onHint) {
      const onText = (text: string, viaDatabase: boolean): void => {
        const message = parseRing(text);
        if (!message) return;
        if ('changed' in message) return onHint(message);
        if ('ring' in message && viaDatabase) byDatabase.add(message.from);
        else if ('ring' in message) byDatabase.delete(message.from);
        onRing(message);
      };
      const stopDatabase = await database.listen(CHANNEL, (text) => onText(text, true), onGap);
      const stopRedis = byRedis?.listen((text) => onText(text, false), onGap);
      return async () => {
        stopRedis?.();
        await stopDatabase();
      };
    },
  };
}

interface RedisBell {
  /** @returns how many processes heard it */
  ring(text: string): Promise<number>;
  listen(onRing: (text: string) => void, onGap: () => void): () => void;
}

function openRedisBell(url: string, channel: string, log: Logger): RedisBell {
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
      if (speaking.status !== 'ready' || performance.now() < passOverUntilMs) return 0;
      try {
        const heardBy = await speaking.publish(channel, text);
        warned = false;
        return heardBy;
      } catch (err) {
        passOverUntilMs = performance.now() + 1000;
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

function parseRing(payload: string): Ring | Hint | null {
  try {
    const ring: unknown = JSON.parse(payload);
    return typeof ring === 'object' && ring !== null ? (ring as Ring | Hint) : null;
  } catch {
    return null;
  }
}
