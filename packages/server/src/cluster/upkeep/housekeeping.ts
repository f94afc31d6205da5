import { sweepLimits } from '../../store/limits.ts';
import { boundRefusals } from '../../store/refusals.ts';
import { purgeCuts, purgeOld, readersHolding } from '../../store/purge.ts';
import type { Database } from '../../store/database.ts';
import { markExpired, purgeSessions, saveActivity } from '../../store/session-upkeep.ts';
import type { System } from '../../system/system.ts';
import { atPace } from '../../system/timers.ts';
import type { SessionMemory } from '../memory/session-memory.ts';

const BATCH = 500;
const ACTIVITY_BATCH = 5000;
const SWEEP_MS = 60_000;

/** Background work: writing activity in batches, marking expired sessions, purging old rows. */
interface Housekeeping {
  flushActivity(): Promise<void>;
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export function startHousekeeping(options: {
  database: Database;
  system: System;
  memory: SessionMemory;
  /** How often activity is written: well below the shortest idle lifetime. */
  flushMs: () => number;
  /** Of the clients that name none. */
  ownAudience: string;
  retentionDays: number;
  eventsRetentionDays: number;
  auditRetentionDays: number;
  /** Sessions of these users have expired. */
  onRanOut: (userIds: ReadonlySet<number>) => void;
}): Housekeeping {
  const { database, system, memory } = options;

  async function flushActivity(): Promise<void> {
    const activity = memory.takeActivity();
    for (let i = 0; i < activity.length; i += ACTIVITY_BATCH) {
      try {
        await saveActivity(database, activity.slice(i, i + ACTIVITY_BATCH), options.ownAudience);
      } catch (error) {
        // Dropped, a session in use would expire as idle.
        memory.giveBackActivity(activity.slice(i));
        throw error;
      }
    }
  }

  let saidHeld = false;
  let purgedCutsTo = '';
  async function sweep(): Promise<void> {
    const now = system.now();
    await markAllExpired(database, now, options.onRanOut);
    const ago = (days: number): Date => new Date(now.getTime() - days * 86_400_000);
    const keepFrom = ago(options.retentionDays);
    while ((await purgeSessions(database, keepFrom, BATCH)) === BATCH);
    await sweepLimits(database, now);
    await purgeLog(database, ago(options.eventsRetentionDays), ago(options.auditRetentionDays));
    purgedCutsTo = await purgeCuts(database, purgedCutsTo);
    await database.maintain?.();
    // A day more, because a reader may be behind for a moment.
    const readers = saidHeld ? [] : await readersHolding(database, ago(options.eventsRetentionDays + 1));
    if (readers.length > 0) {
      saidHeld = true;
      system.log.warn(
        { readers },
        'the log is not purged: these readers have not processed its oldest events',
      );
    }
  }

  const every = (ms: () => number, what: string, work: () => Promise<void>): (() => void) =>
    atPace(system, ms, () => {
      work().catch((err: unknown) => system.log.warn({ err }, `${what} failed; will retry`));
    });
  const stops = [
    every(options.flushMs, 'writing activity', flushActivity),
    every(() => SWEEP_MS, 'sweeping', sweep),
  ];
  return {
    flushActivity,
    sweep,
    async close() {
      for (const stop of stops) stop();
      await flushActivity();
    },
  };
}

async function purgeLog(database: Database, eventsBefore: Date, auditBefore: Date): Promise<void> {
  await purgeOld(database, 'events', eventsBefore);
  await purgeOld(database, 'refusals', eventsBefore);
  await boundRefusals(database);
  await purgeOld(database, 'logs', auditBefore);
}

async function markAllExpired(
  database: Database,
  now: Date,
  onRanOut: (userIds: ReadonlySet<number>) => void,
): Promise<void> {
  let userIds: number[];
  do {
    userIds = await markExpired(database, now, BATCH);
    onRanOut(new Set(userIds));
  } while (userIds.length === BATCH);
}
