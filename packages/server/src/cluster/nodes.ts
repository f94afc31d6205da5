import type { Logger } from 'pino';
import type { Database } from '../store/database.ts';
import { type LogEvent, logHorizon, readEndings } from '../store/log.ts';
import {
  beatNode,
  readNodes,
  registerNode,
  removeNode,
  removeSilentNode,
  ringNodes,
} from '../store/nodes.ts';
import type { System } from '../system/system.ts';

const CHANNEL = 'curfew_nodes';

/** What a logout learned of the other processes. */
export interface Propagation {
  /** Other nodes that said they hold the event. */
  acknowledged: number;
  /** Other nodes that did not say so within the lease, and that have stopped trusting their memory by now. */
  waitedOut: number;
}

/** The processes of the authority on one database, and this one's place among them. */
export interface Nodes {
  /** Whether this node's memory may answer: it holds every ending that was committed a lease ago. */
  isFresh(): boolean;
  /** Waits until no other node answers for whom a committed event has ended. Call it after the commit. */
  confirm(): Promise<Propagation>;
  /** Reads the log: afterwards this node's own memory holds every ending committed before the call. */
  catchUp(): Promise<void>;
  /** Age in milliseconds of what this node knows, and how many nodes there are, for metrics. */
  state(): { ageMs: number; nodes: number };
  close(): Promise<void>;
}

/** The embedded database: this process is the only one that writes, so memory is fresh by itself. */
export function soleNode(): Nodes {
  return {
    isFresh: () => true,
    confirm: async () => ({ acknowledged: 0, waitedOut: 0 }),
    catchUp: async () => undefined,
    state: () => ({ ageMs: 0, nodes: 1 }),
    close: async () => undefined,
  };
}

/** Says "there is something new", or "I have it"; never anything that decides. */
type Ring = { ring: number; from: string } | { ack: number; to: string; from: string };

interface Waiting {
  /** Acknowledgements of this ring or a later one count. */
  ring: number;
  missing: Set<string>;
  done: () => void;
}

/**
 * Registers this process as a node and follows the log. The rule (docs/decisions/0005): a node answers from memory at
 * `t` only while its last complete read of the log was sent after `t - lease`; a logout that committed at `c` answers
 * when every other registered node has acknowledged, or when the lease and a margin have passed since `c`.
 *
 * A node is taken out by the others after a silence of five leases, and trusts itself for at most three leases after
 * the last beat that it sent, so that it never answers unregistered.
 */
export async function joinNodes(options: {
  database: Database;
  system: System;
  leaseMs: number;
  /** Applies an ending to this process's memory. */
  onEnding: (event: LogEvent) => void;
  /** Endings may have been missed: nothing remembered can be believed. */
  onGap: () => void;
}): Promise<Nodes> {
  const { database, system, leaseMs } = options;
  const log: Logger = system.log.child({ part: 'nodes' });
  const id = system.uuid();
  /** Clocks of two machines may run apart by a hundredth or so; five is plenty. */
  const marginMs = Math.max(20, leaseMs * 0.05);

  let cursor = '';
  // The freshness: when the last complete read was sent, on the monotonic clock, and on the wall clock because a
  // monotonic clock may stand still while the machine sleeps.
  let readSentMs = Number.NEGATIVE_INFINITY;
  let readSentWallMs = 0;
  let beatSentMs = Number.NEGATIVE_INFINITY;
  let registered = false;
  let closed = false;
  let others = 0;

  const isFresh = (): boolean => {
    const nowMs = system.monotonicMs();
    return (
      registered &&
      nowMs - readSentMs < leaseMs &&
      nowMs - beatSentMs < 3 * leaseMs &&
      Math.abs(system.now().getTime() - readSentWallMs) < leaseMs
    );
  };

  async function register(): Promise<void> {
    const sentMs = system.monotonicMs();
    await registerNode(database, id, system.now());
    // The first time there is nothing in memory that history could concern. Later it goes on from where it stood, so
    // that what was loaded before and is still on its way here is judged by everything that ended meanwhile.
    if (cursor === '') cursor = await logHorizon(database);
    // What was asked before this was asked when nobody waited for this node, and its ending may lie below the cursor.
    options.onGap();
    beatSentMs = sentMs;
    registered = true;
  }

  const read = coalesced(async () => {
    if (!registered) await register();
    const sentMs = system.monotonicMs();
    const sentWallMs = system.now().getTime();
    const news = await readEndings(database, cursor);
    for (const event of news.events) options.onEnding(event);
    cursor = news.cursor;
    readSentMs = sentMs;
    readSentWallMs = sentWallMs;
  });

  async function beat(): Promise<void> {
    const sentMs = system.monotonicMs();
    if (await beatNode(database, id)) {
      beatSentMs = sentMs;
    } else {
      registered = false;
      options.onGap();
      log.warn('this node was taken out as silent; it registers anew');
    }
  }

  // When each other node's beat was last seen to move.
  const beats = new Map<string, { beat: number; movedMs: number }>();
  async function takeOutSilent(): Promise<void> {
    const nowMs = system.monotonicMs();
    const nodes = await readNodes(database);
    for (const node of nodes) {
      const seen = beats.get(node.id);
      if (node.id === id) continue;
      if (!seen || seen.beat !== node.beat) beats.set(node.id, { beat: node.beat, movedMs: nowMs });
      else if (nowMs - seen.movedMs > 5 * leaseMs && (await removeSilentNode(database, node.id, node.beat))) {
        beats.delete(node.id);
        log.warn({ node: node.id }, 'a node has fallen silent and was taken out');
      }
    }
    for (const known of beats.keys()) if (!nodes.some((node) => node.id === known)) beats.delete(known);
    others = beats.size;
  }

  /** Who is registered, by a read that begins after this call. Many callers share one read. */
  const registry = coalesced(async () => {
    const nodes = await readNodes(database);
    return nodes.filter((node) => node.id !== id).map((node) => node.id);
  });

  let lastRing = 0;
  const waiting = new Set<Waiting>();
  const send = (ring: Ring): Promise<void> => ringNodes(database, CHANNEL, JSON.stringify(ring));
  const ringOnce = coalesced(() => send({ ring: lastRing, from: id }));

  function onRing(payload: string): void {
    const message = parseRing(payload);
    if (!message || message.from === id) return;
    if ('ring' in message) {
      // The read begins after the ring was heard, and so after the commit that it was rung for.
      read()
        .then(() => send({ ack: message.ring, to: message.from, from: id }))
        .catch((err: unknown) => log.warn({ err }, 'a ring could not be answered'));
      return;
    }
    if (message.to !== id) return;
    for (const one of waiting) {
      if (message.ack < one.ring) continue;
      one.missing.delete(message.from);
      if (one.missing.size === 0) one.done();
    }
  }

  await register();
  await read();
  const stopListening = await database.listen(CHANNEL, onRing, () => void read().catch(() => undefined));

  let failing = false;
  const every = (ms: number, work: () => Promise<unknown>): NodeJS.Timeout =>
    setInterval(() => {
      work().then(
        () => (failing = false),
        (err: unknown) => {
          if (!failing && !closed)
            log.warn({ err }, 'the log cannot be read: checks ask the database until it can');
          failing = true;
        },
      );
    }, ms).unref();
  const timers = [
    every(leaseMs / 4, read),
    every(leaseMs, async () => {
      await beat();
      await takeOutSilent();
    }),
  ];

  return {
    isFresh,
    catchUp: read,
    async confirm() {
      const committedMs = system.monotonicMs();
      const untilMs = committedMs + leaseMs + marginMs;
      let missing: Set<string>;
      try {
        missing = new Set(await registry());
      } catch (err) {
        // It cannot be known who is there. After the lease nobody trusts what they knew before.
        log.warn({ err }, 'the registry of nodes cannot be read: waiting the lease out');
        await sleep(untilMs - system.monotonicMs());
        return { acknowledged: 0, waitedOut: others };
      }
      if (missing.size === 0) return { acknowledged: 0, waitedOut: 0 };
      const all = missing.size;
      const ring = ++lastRing;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(finish, Math.max(0, untilMs - system.monotonicMs()));
        const one: Waiting = { ring, missing, done: finish };
        function finish(): void {
          clearTimeout(timer);
          waiting.delete(one);
          resolve();
        }
        waiting.add(one);
        ringOnce().catch((err: unknown) => log.warn({ err }, 'the other nodes could not be rung'));
      });
      return { acknowledged: all - missing.size, waitedOut: missing.size };
    },
    state: () => ({ ageMs: system.monotonicMs() - readSentMs, nodes: others + 1 }),
    async close() {
      closed = true;
      registered = false;
      for (const timer of timers) clearInterval(timer);
      await stopListening();
      try {
        await removeNode(database, id);
      } catch (err) {
        log.warn(
          { err },
          'this node could not sign off; the others will wait for it until it is found silent',
        );
      }
    },
  };
}

function parseRing(payload: string): Ring | null {
  try {
    return JSON.parse(payload) as Ring;
  } catch {
    return null;
  }
}

const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, Math.max(0, ms)));

/**
 * Work of which one run serves everybody who asked before it began: whoever asks during a run gets the next one.
 */
export function coalesced<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    const run = work().finally(() => {
      if (running === run) running = undefined;
    });
    running = run;
    return run;
  };
  return () => {
    if (!running) return start();
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
}
